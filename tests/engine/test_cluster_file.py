"""A stack whose settings are in its cluster's file is provisioned as one that has them itself."""

import re

import pytest

from tests.checkouts import Checkout

pytestmark = pytest.mark.engine


def test_settings_that_move_to_the_cluster_s_file_change_no_resource(checkout: Checkout) -> None:
    file = checkout.folder / "Pulumi.dev.yaml"
    text = file.read_text(encoding="utf-8")
    own = '  sre-platform:teams: "*"\n  sre-platform:platform: true\n'
    shared = text.partition("config:\n")[2].replace(own, "")
    (checkout.folder / "clusters" / "sre-dev.yaml").write_text(
        shared.replace("  sre-platform:", "").replace("\n  ", "\n"), encoding="utf-8"
    )
    file.write_text(f"config:\n  sre-platform:cluster: sre-dev\n{own}", encoding="utf-8")
    before = checkout.cluster()
    run = checkout.up()
    assert run.count("unchanged") == len(checkout.resources())
    assert checkout.cluster() == before

    checkout.edit("clusters/sre-dev.yaml", "memory: 256Mi", "memory: 300Mi")
    run = checkout.run("preview")
    assert run.count("to update") > 0, "the program reads the cluster's file"

    checkout.edit("clusters/sre-dev.yaml", "guardrails: deny", "guardrails: dney")
    run = checkout.run("up")
    assert run.code == 1
    assert re.search(r"clusters/sre-dev\.yaml:\d+:13: guardrails: 'dney' is not one of", run.output)
    assert checkout.cluster() == before
