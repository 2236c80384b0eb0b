"""The platform's policies on the way into the cluster: Kyverno's admission controller at work."""

import re
from collections.abc import Iterator, Sequence

import pytest
import yaml

from binaries import kyverno
from cli.__main__ import main
from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from sandbox.servers import policies
from tests.checkouts import Checkout
from tests.optional import available
from tests.parts.test_kyverno import WEAKER, weakened
from tests.servers.conftest import (
    cluster_of,
    start,
    stopped_at_the_end,
    until,
)

pytestmark = pytest.mark.parts

ALPHA, BETA = "team-alpha", "team-beta"
WEBHOOK = "vpol.validate.kyverno.svc-fail"
WORDS = {
    each["metadata"]["name"]: [rule["message"] for rule in each["spec"]["validations"]]
    for each in yaml.safe_load_all(policies.POLICIES.read_text(encoding="utf-8"))
}
# Of the weakened objects, those that the API server refuses by itself.
INVALID = {"privileged": "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"}
BARE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bare"}}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout with servers that ask Kyverno."""
    available(kyverno.operator)
    folder = tmp_path_factory.mktemp("admission") / "checkout"
    with stopped_at_the_end(Checkout(folder)) as checkout:
        start(checkout, "kyverno")
        yield checkout


@pytest.fixture
def cluster(checkout: Checkout) -> Cluster:
    return cluster_of(checkout)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Object]:
    """The shipped teams' Kubernetes objects."""
    folder = tmp_path_factory.mktemp("rendered")
    assert main(["render", "--out", str(folder)]) == 0
    files = sorted((folder / "kubernetes").rglob("*.yaml"))
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]


def refused(cluster: Cluster, object: Object) -> str:
    """What the API server says to it; empty if it is admitted."""
    try:
        cluster.create(object, dry_run=True)
    except RefusedError as refusal:
        return refusal.reason
    return ""


def pods(cluster: Cluster, namespace: str) -> list[Object]:
    return cluster.list("v1", "Pod", namespace)


def test_the_shipped_teams_come_up_under_the_platform_s_policies(
    checkout: Checkout, cluster: Cluster
) -> None:
    until(lambda: "denied the request: Policy namespaces failed: " in refused(cluster, BARE))
    checkout.up()
    assert {len(pods(cluster, each)) > 0 for each in (ALPHA, BETA)} == {True}


@pytest.mark.parametrize("name", WEAKER)
def test_what_is_weaker_is_refused_with_the_policy_s_words(
    cluster: Cluster, shipped: Sequence[Object], name: str
) -> None:
    policy, _, _ = WEAKER[name]
    said = refused(cluster, weakened(shipped, name))
    if name in INVALID:
        assert INVALID[name] in said
        return
    told = re.fullmatch(rf'admission webhook "{WEBHOOK}" denied the request: (.*)', said)
    assert told, said
    assert told[1] in {f"Policy {policy} failed: {words}" for words in WORDS[policy]}
