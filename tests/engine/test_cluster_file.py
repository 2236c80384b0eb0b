"""A stack whose settings are in its cluster's file is provisioned as one that has them itself."""

import re

import pytest

from tests.checkouts import Checkout
from tools.editing.cluster import new_cluster

pytestmark = pytest.mark.engine


def test_settings_that_move_to_the_cluster_s_file_change_no_resource(checkout: Checkout) -> None:
    new_cluster(checkout.folder, "sre-dev", ["dev"])
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
