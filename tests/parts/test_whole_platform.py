"""`make servers PARTS=all`: all parts together."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.servers import container_node
from sandbox.servers.keys import REAL_NODE
from tests.checkouts import Checkout, finished
from tests.optional import available
from tests.servers.conftest import cluster_of, start, stopped_at_the_end, until
from tests.servers.test_node import SECRETS, pods
from tests.servers.test_packets import up_with_secrets
from tools.doctor.pods import is_ready

pytestmark = pytest.mark.parts


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    available(container_node.require)
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("all") / "checkout")) as checkout:
        start(checkout, "all")
        yield checkout


def test_the_shipped_teams_run_on_the_whole_platform(whole: Checkout) -> None:
    up_with_secrets(whole)
    cluster = cluster_of(whole)

    def ready() -> list[str]:
        found = [pod for team in SECRETS for pod in pods(cluster, team) if is_ready(pod)]
        return [pod["spec"]["nodeName"] for pod in found]

    until(lambda: ready() == [REAL_NODE] * 7)


def test_the_doctor_has_a_line_on_each_part(whole: Checkout) -> None:
    arguments = [sys.executable, "-m", "cli", "doctor", "--stack", "dev"]
    run = finished(
        whole.start_program(arguments, {"PATH": os.defpath, "HOME": str(Path.home())}), 120
    )
    assert run.code == 0, run.output
    words = " ".join(run.output.split())
    assert "Kubernetes: secrets 6 fetched" in words
    assert "Kubernetes: Prometheus ServiceMonitor: 3 selected" in words
    assert "Kubernetes: gateways Gateway istio-system/sre-gateway: 1 of 1 pods ready" in words
    assert "ok Kubernetes: sidecars injected in 2 namespaces" in words
    assert re.search(r"ok Kubernetes: webhooks \d+ answer", words)
    assert "skipped Harbor simulated by the sandbox" in words
    assert words.count("skipped") == 2  # and in the sum
