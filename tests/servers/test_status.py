"""`./sre status` on a real API server: what its controllers say of a team's apps.

What a kubelet would report of containers is written to a pod's status.
"""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main
from clients.kubernetes import Cluster, Object
from sandbox.servers.keys import SIMULATED_NODE, Keys
from tests.checkouts import Checkout
from tests.fake_server import serving
from tests.servers.conftest import cluster_of, record_of, settle, until
from tests.servers.status_readers import (
    RBAC,
    Reader,
    altered,
    identity,
    patch,
    put_back,
    removed,
    viewers_role,
)
from tests.test_status_command import TWENTY
from tools.doctor.pods import is_ready

pytestmark = pytest.mark.servers

TEAM, OTHER, MANY = "team-alpha", "team-beta", "team-many"
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    """All teams, without a secret in OpenBao."""
    servers.up()
    settle(cluster_of(servers))
    return servers


@pytest.fixture
def cluster(provisioned: Checkout) -> Cluster:
    return cluster_of(provisioned)


@pytest.fixture
def administrator(
    provisioned: Checkout,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Reader:
    """Someone who may read everything."""
    return Reader(provisioned, capsys, monkeypatch, tmp_path / "kubeconfig")


@pytest.fixture
def viewer(administrator: Reader) -> Reader:
    """Someone with the rights of a team's viewers, and no other."""
    administrator.view(TEAM, OTHER)
    return administrator


@pytest.fixture
def without_events(administrator: Reader, cluster: Cluster) -> Reader:
    """A viewer who may not read events."""
    view = cluster.get(f"{RBAC}/v1", "ClusterRole", None, viewers_role(cluster, TEAM)["name"])
    assert view
    rules = [
        {**rule, "resources": [each for each in rule["resources"] if each != "events"]}
        for rule in view["rules"]
        if rule["resources"] != ["events"]
    ]
    metadata = {"name": "without-events", "namespace": TEAM}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    cluster.apply(role, "test")
    named = {"kind": "Role", "name": "without-events"}
    administrator.log_in(identity(cluster, "without-events", named, TEAM))
    return administrator


def in_team(group: str, plural: str, name: str, team: str = TEAM) -> str:
    """The path of an object of a team."""
    return f"{group}/namespaces/{team}/{plural}/{name}"


def deployment(app: str, team: str = TEAM) -> str:
    return in_team("apis/apps/v1", "deployments", app, team)


@pytest.fixture
def changed(cluster: Cluster) -> Iterator[Any]:
    """`changed(app, pod={...}, container={...})` changes its pods; undone at the end."""
    before: dict[str, Object] = {}

    def change(app: str, pod: Object | None = None, **container: Any) -> None:
        before.setdefault(app, cluster.call("GET", deployment(app))["spec"]["template"])
        spec = {**(pod or {}), "containers": [{"name": app, **container}]}
        patch(cluster, deployment(app), {"spec": {"template": {"spec": spec}}}, STRATEGIC)

    yield change
    for app, template in before.items():
        put_back(cluster, deployment(app), "/spec/template", template)
    settle(cluster)


ROUTE = in_team("apis/networking.istio.io/v1", "virtualservices", "frontend")
# A change that replaces an app's pods, and makes no difference to them.
OTHERWISE = {"terminationMessagePolicy": "FallbackToLogsOnError"}


def test_a_viewer_learns_how_the_team_s_apps_are_doing(viewer: Reader) -> None:
    code, out = viewer.run(TEAM)
    assert code == 0, out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "my-api running as wanted 2/2 v1.0.0" in lines
    assert "frontend running as wanted 2/2 v2.1.0" in lines
    assert len(viewer.requests) <= 15
    # Everything in the team's namespace is a viewer's to read.
    assert [line for line in lines if "forbidden" in line] == [
        "gateways in istio-system: forbidden; whether hosts are served is not known"
    ]


def site(reader: Reader, out: Path) -> str:
    """The page of the team, as `./sre page --live` writes it."""
    tenants = str(reader.checkout.folder / "tenants")
    assert main(["page", "--live", "--tenants", tenants, "--out", str(out)]) == 0
    return (out / "teams" / f"{TEAM}.html").read_text("utf-8")


def test_the_site_shows_what_the_cluster_says_of_all_teams(
    administrator: Reader, tmp_path: Path
) -> None:
    page = site(administrator, tmp_path / "site")
    assert "running as wanted" in page
    assert "over all namespaces" in page
    assert [each for each in administrator.requests if f"/namespaces/{TEAM}/" in each] == []


def test_the_site_shows_a_viewer_what_he_may_read(viewer: Reader, tmp_path: Path) -> None:
    page = site(viewer, tmp_path / "site")
    assert "running as wanted" in page
    assert [each for each in viewer.requests if f"/namespaces/{TEAM}/" in each]


def test_an_autoscaler_without_metrics_is_named(viewer: Reader) -> None:
    cause = viewer.cause(TEAM, "my-api", "autoscaler-metrics")
    assert (cause["key"], cause["weight"]) == ("apps[0].autoscaling", "warning")


def test_a_limit_beyond_the_limit_range_is_refused(viewer: Reader, changed: Any) -> None:
    changed("frontend", resources={"limits": {"cpu": "3"}})
    cause = viewer.cause(TEAM, "frontend", "limit-range")
    assert cause["key"] == "apps[1].app.resources.limits.cpu"
    assert (
        "is 3, more than the LimitRange team-alpha-limits allows (2, limitRange.max.cpu)"
        in (cause["what"])
    )


def test_a_pod_that_is_not_hardened_is_refused(viewer: Reader, changed: Any) -> None:
    changed("frontend", securityContext={"allowPrivilegeEscalation": True})
    cause = viewer.cause(TEAM, "frontend", "pod-security")
    assert cause["key"] == "apps[1].exceptions"
    assert "Pod Security (restricted) refuses its pods" in cause["what"]


def test_a_quota_without_room_is_named_with_its_figures(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    quota = in_team("api/v1", "resourcequotas", f"{TEAM}-quota")
    used = cluster.call("GET", quota)["status"]["used"]["limits.memory"]
    with altered(cluster, quota, {"hard": {"limits.memory": used}}):
        until(lambda: cluster.call("GET", quota)["status"]["hard"]["limits.memory"] == used)
        changed("frontend", **OTHERWISE)
        cause = viewer.cause(TEAM, "frontend", "quota")
    assert cause["key"] == "quota.limits.memory"
    assert f"limits.memory: 1Gi more, {used} of {used} used" in cause["what"]


def test_an_image_that_the_platform_s_policy_refuses_is_mended_at_its_repository(
    viewer: Reader, changed: Any
) -> None:
    changed("frontend", image="docker.io/library/nginx:1.29")
    cause = viewer.cause(TEAM, "frontend", "policy")
    assert cause["key"] == "apps[1].app.image.repository"
    assert "the policy sre-images refuses its pods: images must come from" in cause["what"]


@contextmanager
def passing(cluster: Cluster, checkout: Checkout, name: str, address: str) -> Iterator[None]:
    """Every new pod of the team has to pass a webhook at that address."""
    ca_cert = base64.b64encode(Keys(record_of(checkout).folder).ca_cert.read_bytes()).decode()
    own = {"kubernetes.io/metadata.name": TEAM}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    webhook = {
        "name": name,
        "clientConfig": {"url": f"{address}/pods", "caBundle": ca_cert},
        "rules": [{**pods, "operations": ["CREATE"]}],
        "namespaceSelector": {"matchLabels": own},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = "ValidatingWebhookConfiguration"
    made: Object = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind}
    made |= {"metadata": {"name": "status"}, "webhooks": [webhook]}
    cluster.apply(made, "test")
    try:
        yield
    finally:
        cluster.call("DELETE", cluster.path_of(made))


# Kyverno's words for an image without a signature.
UNSIGNED = """

resource Pod/team-alpha/frontend was blocked due to the following policies

verify-signatures:
  cosign: 'failed to verify image harbor.sre.internal/team-alpha/frontend:v2.1.0:
    .attestors[0].entries[0].keys: no signatures found'
"""


def denied(review: Object) -> tuple[int, Object]:
    """The answer of a webhook that refuses every pod."""
    response = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": UNSIGNED}}
    return 200, {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}


def test_an_image_without_a_signature_is_mended_at_its_tag(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    with serving(Keys(record_of(viewer.checkout).folder)) as kyverno:
        kyverno.answers["POST /pods"] = denied
        name = "mutate.kyverno.svc-fail"
        with passing(cluster, viewer.checkout, name, kyverno.address):
            changed("frontend", **OTHERWISE)
            cause = viewer.cause(TEAM, "frontend", "image-unsigned")
    assert cause["key"] == "apps[1].app.image.tag"
    assert (
        "harbor.sre.internal/team-alpha/frontend:v2.1.0, because it is not signed"
        in (cause["what"])
    )


def test_a_webhook_that_does_not_answer_is_named(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    name = "namespace.sidecar-injector.istio.io"
    with passing(cluster, viewer.checkout, name, "https://127.0.0.1:1"):
        changed("frontend", **OTHERWISE)
        cause = viewer.cause(TEAM, "frontend", "webhook")
    assert f"the webhook {name}, which every pod has to pass, does not answer" in cause["what"]
    assert cause["key"] is None


def test_an_account_that_is_missing_is_named(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    with removed(cluster, in_team("api/v1", "serviceaccounts", "frontend")):
        changed("frontend", **OTHERWISE)
        cause = viewer.cause(TEAM, "frontend", "service-account")
    assert cause["key"] == "apps[1].serviceAccount"


def test_two_causes_at_once_are_both_named(viewer: Reader, cluster: Cluster, changed: Any) -> None:
    with removed(cluster, ROUTE):
        changed("frontend", resources={"limits": {"cpu": "3"}})
        causes = viewer.causes(TEAM, "frontend", "limit-range", "not-routed")
        assert causes["not-routed"]["key"] == "apps[1].ingress.host"
        code, out = viewer.run(TEAM)
    assert code == 1
    assert "frontend broken" in " ".join(out.split())
    assert "my-api running as wanted" in " ".join(out.split())


def test_without_events_what_stays_unknown_is_said_and_the_rest_found(
    without_events: Reader, changed: Any
) -> None:
    changed("frontend", resources={"limits": {"cpu": "3"}})
    without_events.cause(TEAM, "frontend", "limit-range")
    code, out = without_events.run(TEAM)
    assert code == 1
    assert "\nevents: forbidden; failed probes and mounts" in out
    assert "limitRange.max.cpu" in out


def test_a_pod_for_which_there_is_no_node_waits(viewer: Reader, changed: Any) -> None:
    changed("frontend", {"nodeSelector": {"disk": "none"}})
    cause = viewer.cause(TEAM, "frontend", "no-node")
    assert "didn't match Pod's node affinity/selector" in cause["what"]


NODE = f"api/v1/nodes/{SIMULATED_NODE}"


def test_a_taint_that_the_pod_does_not_tolerate_is_named(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    taint = {"key": "maintenance", "effect": "NoSchedule"}
    with altered(cluster, NODE, {"taints": [taint]}):
        changed("frontend", **OTHERWISE)
        cause = viewer.cause(TEAM, "frontend", "no-node")
    assert "untolerated taint" in cause["what"]


def test_a_node_without_room_is_mended_at_the_request(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    before = cluster.call("GET", NODE)["status"]["allocatable"]
    patch(cluster, f"{NODE}/status", {"status": {"allocatable": {"cpu": "1"}}})
    try:
        changed("frontend", **OTHERWISE)
        cause = viewer.cause(TEAM, "frontend", "no-room")
    finally:
        patch(cluster, f"{NODE}/status", {"status": {"allocatable": before}})
    assert cause["key"] == "apps[1].app.resources.requests.cpu"
    assert "no node has room for a pod that requests 200m cpu" in cause["what"]


def test_a_claim_that_is_missing_is_named(viewer: Reader, changed: Any) -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "none"}}
    changed("frontend", {"volumes": [claim]})
    cause = viewer.cause(TEAM, "frontend", "volume")
    assert 'persistentvolumeclaim "none" not found' in cause["what"]


def as_kubelet(cluster: Cluster, app: str, **status: Any) -> Object:
    """What a node would report of the app's container; the pod is not ready any more."""
    (pod, *_) = [
        each
        for each in cluster.list("v1", "Pod", TEAM)
        if each["metadata"]["labels"]["app.kubernetes.io/name"] == app
        and "deletionTimestamp" not in each["metadata"]
    ]
    own = {"name": app, "image": "x", "imageID": "", "ready": False, "restartCount": 0, **status}
    change = {
        "status": {
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [own],
        }
    }
    name = pod["metadata"]["name"]
    patch(cluster, f"api/v1/namespaces/{TEAM}/pods/{name}/status", change, STRATEGIC)
    return pod


@pytest.fixture
def restarted(cluster: Cluster) -> Iterator[None]:
    """Pods that a test changed are replaced at its end."""
    yield
    former = {pod["metadata"]["name"] for pod in cluster.list("v1", "Pod", TEAM)}
    for name in former:
        cluster.delete("v1", "Pod", TEAM, name)

    def replaced() -> bool:
        pods = cluster.list("v1", "Pod", TEAM)
        new = [each for each in pods if each["metadata"]["name"] not in former]
        wanted = sum(
            each["spec"]["replicas"] for each in cluster.list("apps/v1", "Deployment", TEAM)
        )
        return len(new) == len(pods) == wanted and all(map(is_ready, new))

    until(replaced)
    settle(cluster)


def test_what_a_node_reports_is_explained(
    viewer: Reader, cluster: Cluster, restarted: None
) -> None:
    image = "harbor.sre.internal/team-alpha/frontend:v2.1.0"
    waiting = {"reason": "ImagePullBackOff", "message": f"{image}: not found"}
    as_kubelet(cluster, "frontend", state={"waiting": waiting})
    cause = viewer.cause(TEAM, "frontend", "image-missing")
    assert cause["key"] == "apps[1].app.image.tag"
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T00:00:00Z"}
    loop = {"waiting": {"reason": "CrashLoopBackOff"}}
    as_kubelet(
        cluster, "frontend", state=loop, lastState={"terminated": ended}, restartCount=2
    )  # fmt: skip
    cause = viewer.cause(TEAM, "frontend", "out-of-memory")
    assert "its limit of 1Gi" in cause["what"]


def test_a_crash_shows_its_exit_code_and_the_last_lines_of_the_log(
    viewer: Reader, cluster: Cluster, restarted: None
) -> None:
    before = cluster.call("GET", NODE)["status"]
    with serving(Keys(record_of(viewer.checkout).folder)) as kubelet:
        port = int(kubelet.address.rpartition(":")[2])
        own = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        patch(cluster, f"{NODE}/status", {"status": own})
        try:
            state = {"terminated": {"exitCode": 3, "reason": "Error"}}
            pod = as_kubelet(cluster, "frontend", state=state)
            log = f"GET /containerLogs/{TEAM}/{pod['metadata']['name']}/frontend"
            kubelet.answers[log] = (200, b"no database")
            cause = viewer.cause(TEAM, "frontend", "crash")
        finally:
            put_back(cluster, f"{NODE}/status", "/status", before)
    assert cause["what"] == "the app ends with exit code 3"
    assert cause["lines"] == ["no database"]


def test_a_budget_that_blocks_a_drain_is_named(viewer: Reader, cluster: Cluster) -> None:
    budget = in_team("apis/policy/v1", "poddisruptionbudgets", "my-api")
    with altered(cluster, budget, {"minAvailable": 2}):
        cause = viewer.cause(TEAM, "my-api", "drain-blocked")
    assert cause["key"] == "apps[0].podDisruptionBudget.minAvailable"
    assert "minAvailable 2 lets none of 2 go" in cause["what"]


def test_what_was_changed_by_hand_differs_from_the_file(
    viewer: Reader, cluster: Cluster, changed: Any
) -> None:
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.0.0")
    with removed(cluster, ROUTE):
        settle(cluster)
        frontend = viewer.app(TEAM, "frontend")
        assert frontend["status"] == "differs from its file"
        keys = {cause["key"] for cause in frontend["causes"]}
        assert {"apps[1].app.image.tag", "apps[1].ingress.host"} <= keys
        assert viewer.run(TEAM)[0] == 3


def test_another_number_of_pods_than_the_file_s_differs(viewer: Reader, cluster: Cluster) -> None:
    workload = deployment("order-processor", OTHER)
    with altered(cluster, workload, {"replicas": 2}):
        cause = viewer.cause(OTHER, "order-processor", "drift")
        settle(cluster)
        code, out = viewer.run(OTHER, "order-processor")
    assert (code, cause["key"]) == (3, "apps[0].app.replicas")
    assert "the cluster runs 2 pods, the file says 3" in out


GATEWAY = "apis/networking.istio.io/v1/namespaces/istio-system/gateways/sre-gateway"


def test_a_host_that_is_not_served_or_has_no_certificate_is_named(
    administrator: Reader, cluster: Cluster
) -> None:
    cause = administrator.cause(TEAM, "frontend", "certificate-missing")
    assert cause["key"] == "apps[1].ingress.host"
    assert "the Secret sre-gateway, which does not exist" in cause["what"]
    servers = cluster.call("GET", GATEWAY)["spec"]["servers"]
    others = [{**each, "hosts": ["*.example.org"]} for each in servers]
    with altered(cluster, GATEWAY, {"servers": others}):
        cause = administrator.cause(TEAM, "frontend", "host-not-served")
    assert cause["key"] == "apps[1].ingress.host"
    with removed(cluster, GATEWAY):
        cause = administrator.cause(TEAM, "frontend", "gateway-missing")
    assert cause["key"] == "apps[1].ingress.gateway"


def test_a_rollout_is_followed_to_its_end(viewer: Reader, cluster: Cluster, changed: Any) -> None:
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.0.0")
    settle(cluster)
    codes: list[int] = []
    words = ["--tenants", str(viewer.checkout.folder / "tenants"), "--watch", "--timeout", "60s"]
    viewer.capsys.readouterr()
    run = threading.Thread(target=lambda: codes.append(main(["status", TEAM, "frontend", *words])))
    run.start()
    until(lambda: sum(each.endswith("/pods") for each in viewer.requests) == 2)  # list and watch
    assert run.is_alive()
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.1.0")
    run.join(120)
    out = viewer.capsys.readouterr().out
    assert codes == [0], out
    assert "frontend  differs from its file" in out


def test_a_rollout_that_cannot_succeed_ends_with_its_cause(viewer: Reader, changed: Any) -> None:
    changed("frontend", resources={"limits": {"cpu": "3"}})
    code, out = viewer.run(TEAM, "frontend", "--watch", "--timeout", "60s")
    assert code == 1, out
    assert "limitRange.max.cpu" in out


def test_a_rollout_that_does_not_end_in_time_is_not_a_success(viewer: Reader, changed: Any) -> None:
    changed("frontend", image="harbor.sre.internal/team-alpha/frontend:v2.0.0")
    code, out = viewer.run(TEAM, "frontend", "--watch", "--timeout", "1s")
    assert code == 3, out


def refused(reader: Reader) -> str:
    """The one line that someone gets."""
    code, out = reader.run(TEAM)
    assert code == 2, out
    (line,) = out.splitlines()
    return line.removeprefix("./sre status: error: ")


def test_a_cluster_that_cannot_be_asked_is_said_in_one_line(
    administrator: Reader, cluster: Cluster, tmp_path: Path
) -> None:
    administrator.log_in("expired")
    assert refused(administrator).endswith("answered 401: Unauthorized; log in again")
    stranger = identity(cluster, "stranger", viewers_role(cluster, TEAM))
    administrator.log_in(stranger)
    nothing = f"you may read nothing of the namespace {TEAM} on {cluster.address}; "
    assert refused(administrator).startswith(nothing)
    administrator.log_in(stranger, server="https://127.0.0.1:1")
    assert refused(administrator).startswith("https://127.0.0.1:1 does not answer")
    other = Keys(tmp_path)
    other.make()
    ca_cert = base64.b64encode(other.ca_cert.read_bytes()).decode()
    administrator.log_in(stranger, **{"certificate-authority-data": ca_cert})
    assert "shows a certificate that cannot be verified" in refused(administrator)


def test_a_team_that_the_cluster_does_not_have_is_said_in_one_line(administrator: Reader) -> None:
    text = "team: team-none\napps: []\n"
    (administrator.checkout.folder / "tenants/team-none.yaml").write_text(text)
    code, out = administrator.run("team-none")
    assert code == 2
    (line,) = out.splitlines()
    assert "has no namespace team-none; set KUBECONFIG" in line


def test_runs_that_cannot_begin_are_missed(viewer: Reader, cluster: Cluster) -> None:
    file = f"tenants/{OTHER}.yaml"
    viewer.checkout.edit(file, '"0 2 * * *"', '"* * * * *"')
    viewer.checkout.edit(file, "startingDeadlineSeconds: 3600", "startingDeadlineSeconds: 10")
    viewer.checkout.up()
    pod = {"nodeSelector": {"disk": "none"}}  # the first run waits for ever
    runs = in_team("apis/batch/v1", "cronjobs", "nightly-report", OTHER)
    patch(cluster, runs, {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}})
    cause = viewer.cause(OTHER, "nightly-report", "runs-missed")
    assert cause["key"] == "apps[1].schedule.concurrencyPolicy"
    assert "America/New_York: the previous one still runs" in cause["what"]


def test_twenty_apps_take_fifteen_requests_at_most(administrator: Reader) -> None:
    checkout = administrator.checkout
    (checkout.folder / f"tenants/{MANY}.yaml").write_text(TWENTY.replace("team-alpha", MANY))
    checkout.up()
    settle(administrator.cluster)
    administrator.view(MANY)
    code, out = administrator.run(MANY)
    assert code == 0, out
    assert out.count("running as wanted") == 20
    assert 10 < len(administrator.requests) <= 15
