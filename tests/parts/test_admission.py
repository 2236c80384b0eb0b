"""The platform's policies on the way into the cluster: Kyverno's admission controller at work."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from binaries import istio, kyverno
from cli.__main__ import main
from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from sandbox.servers import parts, policies
from sandbox.servers.processes import Process, stop
from tests.checkouts import Checkout, Run, finished
from tests.optional import available
from tests.parts.test_kyverno import EXCEPTION, WEAKER, weakened
from tests.servers.conftest import (
    cluster_of,
    nothing_differs,
    record_of,
    start,
    stopped_at_the_end,
    until,
)
from tests.written import entry, team

pytestmark = pytest.mark.parts

ALPHA, BETA, GAMMA = "team-alpha", "team-beta", "team-gamma"
WEBHOOK = "vpol.validate.kyverno.svc-fail"
POLICY = "policies.kyverno.io/v1", "ValidatingPolicy"
WORDS = {
    each["metadata"]["name"]: [rule["message"] for rule in each["spec"]["validations"]]
    for each in yaml.safe_load_all(policies.POLICIES.read_text(encoding="utf-8"))
}
# Of the weakened objects, those that the API server refuses by itself.
INVALID = {"privileged": "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"}
BARE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bare"}}
# One that this program knows nothing of.
COST_CENTRES = """\
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: cost-centres}
spec:
  matchConstraints:
    resourceRules:
      - apiGroups: [apps]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [deployments]
  validations:
    - expression: '"cost-centre" in object.metadata.?labels.orValue({})'
      message: the label cost-centre is missing
"""


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


def doctor(checkout: Checkout) -> Run:
    arguments = [sys.executable, "-m", "cli", "doctor", "--stack", "dev", "--server", "kubernetes"]
    run = finished(checkout.start_program(arguments, {"PATH": os.defpath}), 120)
    return Run(run.code, " ".join(run.output.split()))  # the table breaks its lines


def pods(cluster: Cluster, namespace: str) -> list[Object]:
    return cluster.list("v1", "Pod", namespace)


def test_the_shipped_teams_come_up_under_the_platform_s_policies(
    checkout: Checkout, cluster: Cluster
) -> None:
    until(lambda: "denied the request: Policy namespaces failed: " in refused(cluster, BARE))
    checkout.up()
    assert {len(pods(cluster, each)) > 0 for each in (ALPHA, BETA)} == {True}
    nothing_differs(checkout)
    told = doctor(checkout)
    assert told.code == 0, told.output
    assert "ok Kubernetes: webhooks 1 answer" in told.output


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


def test_a_pod_without_a_workload_is_refused_too(
    cluster: Cluster, shipped: Sequence[Object]
) -> None:
    (deployment,) = [
        each
        for each in shipped
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "my-api"
    ]
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "tried", "namespace": ALPHA}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    assert refused(cluster, pod) == ""
    other = deepcopy(pod)
    other["spec"]["containers"][0]["image"] = "quay.io/a/b:v1"
    assert "Policy images failed: an image is from another registry" in refused(cluster, other)


@contextmanager
def enforced(cluster: Cluster, policy: Object, refuses: Object) -> Iterator[None]:
    """The policy is there, and has refused that object."""
    cluster.create(policy)
    name = policy["metadata"]["name"]
    try:
        until(lambda: f"Policy {name} failed" in refused(cluster, refuses))
        yield
    finally:
        cluster.delete(*POLICY, None, name)
    until(lambda: f"Policy {name} failed" not in refused(cluster, refuses))


def add(checkout: Checkout, apps: Iterable[str] = (entry(name="wiki"),)) -> Path:
    """The file of another team."""
    file = checkout.folder / "tenants" / f"{GAMMA}.yaml"
    file.write_text(team("apps:\n" + "".join(apps)).replace(ALPHA, GAMMA), encoding="utf-8")
    return file


def remove(checkout: Checkout) -> None:
    """Offboard it."""
    file = checkout.folder / "tenants" / f"{GAMMA}.yaml"
    file.write_text(f"{file.read_text(encoding='utf-8')}lifecycle: offboarding\n", encoding="utf-8")
    checkout.up()
    file.unlink()
    checkout.up()


def lines(run: Run, *words: str) -> list[str]:
    """Those of the output that have all these words."""
    return [line for line in run.output.splitlines() if all(word in line for word in words)]


def test_up_says_in_one_line_which_policy_refuses_which_object(
    checkout: Checkout, cluster: Cluster, shipped: Sequence[Object]
) -> None:
    some = next(each for each in shipped if each["kind"] == "Deployment")
    tried = {**some, "metadata": {**some["metadata"], "name": "tried"}}
    with enforced(cluster, yaml.safe_load(COST_CENTRES), tried):
        add(checkout)
        run = checkout.run("up")
        assert run.code == 1
        said = f'Deployment {GAMMA}/wiki: admission webhook "{WEBHOOK}" denied the request: '
        said += "Policy cost-centres failed: the label cost-centre is missing"
        assert len(lines(run, said)) == 1, run.output
        assert cluster.get("apps/v1", "Deployment", GAMMA, "wiki") is None
    checkout.up()
    nothing_differs(checkout)
    remove(checkout)


def test_an_approved_exception_needs_kyverno_s_own_as_its_page_says(
    checkout: Checkout, cluster: Cluster
) -> None:
    owner = "reason: a, ticket: b, approvedBy: c, until: 9999-12-31"
    beside = f"exceptions: [{{allow: writableRootFilesystem, {owner}}}]"
    add(checkout, [entry(name="wiki", beside=beside)])
    run = checkout.run("up")
    assert run.code == 1
    assert lines(run, f"Deployment {GAMMA}/wiki: ", "Policy security-context failed: "), run.output

    exception = yaml.safe_load(EXCEPTION.read_text(encoding="utf-8").replace(ALPHA, GAMMA))
    cluster.create(exception)
    until(lambda: checkout.run("up").code == 0)
    assert [each["spec"]["nodeName"] for each in pods(cluster, GAMMA)]
    remove(checkout)
    cluster.delete(exception["apiVersion"], "PolicyException", policies.NAMESPACE, f"{GAMMA}-wiki")


def test_without_kyverno_nothing_that_it_checks_changes_until_it_is_back(
    checkout: Checkout, cluster: Cluster
) -> None:
    stop([Process(record_of(checkout).folder, parts.KYVERNO)])
    assert checkout.run("up").code == 0  # nothing changes, so no webhook is called
    found = doctor(checkout)
    assert found.code == 1
    assert f"FAIL Kubernetes: webhooks {WEBHOOK} at 127.0.0.1:" in found.output

    add(checkout)
    checkout.edit(f"tenants/{ALPHA}.yaml", 'tag: "v2.1.0"', 'tag: "v2.1.1"')
    run = checkout.run("up")
    assert run.code == 1
    # The preview already asks the API server, and ends with the first object that it refuses.
    told = lines(run, "Preview failed: ", f'failed calling webhook "{WEBHOOK}"')
    assert told, run.output
    advice = "; start the webhook's server (see `./sre doctor`), then run this again"
    assert all(line.endswith(advice) for line in told)
    assert cluster.get("v1", "Namespace", None, GAMMA) is None
    assert checkout.run("up").code == 1

    start(checkout, "kyverno")
    assert doctor(checkout).code == 0
    checkout.up()
    (image,) = {
        pod["spec"]["containers"][0]["image"].rpartition(":")[2]
        for pod in pods(cluster, ALPHA)
        if pod["metadata"]["labels"]["app.kubernetes.io/name"] == "frontend"
    }
    assert image == "v2.1.1"
    assert len(pods(cluster, GAMMA)) == 1
    nothing_differs(checkout)


def test_pods_that_end_while_it_is_down_come_back_with_it(
    checkout: Checkout, cluster: Cluster
) -> None:
    stop([Process(record_of(checkout).folder, parts.KYVERNO)])
    for pod in pods(cluster, GAMMA):
        cluster.delete("v1", "Pod", GAMMA, pod["metadata"]["name"])

    def failures() -> list[str]:
        live = cluster.get("apps/v1", "Deployment", GAMMA, "wiki")
        assert live
        conditions = live["status"].get("conditions") or ()
        return [each["message"] for each in conditions if each["type"] == "ReplicaFailure"]

    until(failures)
    assert f'failed calling webhook "{WEBHOOK}"' in failures()[0]
    told = doctor(checkout)
    assert told.code == 1
    assert f"{GAMMA}/wiki: a webhook that the API server asks about pods does not" in told.output
    start(checkout, "kyverno")
    until(lambda: pods(cluster, GAMMA) and not failures())
    nothing_differs(checkout)


def test_servers_that_start_without_kyverno_ask_nobody(checkout: Checkout) -> None:
    assert checkout.run("servers-down").code == 0
    start(checkout, "none")
    cluster = cluster_of(checkout)
    assert refused(cluster, BARE) == ""
    for kind, names in policies.WEBHOOKS.items():
        for name in names:
            assert cluster.get(policies.ADMISSION, kind, None, name) is None
    checkout.up()


def test_it_admits_the_sidecars_that_istio_injects(checkout: Checkout) -> None:
    available(istio.envoy)
    assert checkout.run("servers-down").code == 0
    start(checkout, "istio,kyverno")
    cluster = cluster_of(checkout)
    for pod in pods(cluster, ALPHA):
        cluster.delete("v1", "Pod", ALPHA, pod["metadata"]["name"])

    def sidecars() -> set[bool]:
        return {
            "istio-proxy" in [each["name"] for each in pod["spec"].get("initContainers", ())]
            for pod in pods(cluster, ALPHA)
        }

    until(lambda: sidecars() == {True})
    told = doctor(checkout)
    assert told.code == 0, told.output
