"""What a namespace with an exception admits, compared with Pod Security `restricted` itself."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from clients.kubernetes import Cluster, Object
from tests.checkouts import Checkout
from tests.conftest import Program
from tests.program import ADMISSION_BINDING, ADMISSION_POLICY, DEPLOYMENT, NAMESPACE
from tests.servers.conftest import cluster_of, until
from tests.servers.test_guardrails import change, creation, namespace, refused_by
from tests.written import entry, team

pytestmark = pytest.mark.servers

POLICY = "team-alpha-exceptions"
LEVEL = "pod-security.kubernetes.io/enforce"
RESTRICTED = "restricted"  # the namespace beside it, which has that level

Edit = Callable[[dict[str, Any]], None]


def app(name: str, *allowed: str) -> str:
    owner = "reason: a, ticket: b, approvedBy: c, until: 9999-12-31"
    listed = ", ".join(f"{{allow: {each}, {owner}}}" for each in allowed)
    return entry("port: 80", f"exceptions: [{listed}]", name=name)


FILE = team(
    "apps:\n"
    + app("chowner", "CHOWN")
    + app("plain")
    + app("low", "privilegedPort", "NET_BIND_SERVICE", "writableRootFilesystem")
)


@pytest.fixture(scope="module")
def pods(program: Program) -> dict[str, Object]:
    """A pod of each app as its Deployment would create it."""
    kubernetes = {"clusterIdentifier": "test", "podSecurity": "restricted"}
    made = program(FILE, kubernetes=kubernetes)
    return {
        name: _pod(made.one(DEPLOYMENT, f"team-alpha/{name}").pod_template)
        for name in ("chowner", "plain", "low")
    }


def _pod(template: dict[str, Any]) -> Object:
    metadata = {"name": "thing", "labels": template["metadata"]["labels"]}
    spec = {**template["spec"], "serviceAccountName": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def admin(servers: Checkout, program: Program, pods: dict[str, Object]) -> Cluster:
    cluster = cluster_of(servers)
    kubernetes = {"clusterIdentifier": "test", "podSecurity": "restricted"}
    made = program(FILE, kubernetes=kubernetes)
    for kind in (ADMISSION_POLICY, ADMISSION_BINDING, NAMESPACE):
        for resource in made.all(kind):
            cluster.apply(resource.inputs, "test")
    cluster.apply(namespace(RESTRICTED, {LEVEL: "restricted"}), "test")
    for name in ("team-alpha", RESTRICTED):
        until(lambda name=name: cluster.get("v1", "ServiceAccount", name, "default"))
    weak = _edited(pods["plain"], _capability("CHOWN"))
    until(lambda: refused_by(POLICY, creation(cluster, _in("team-alpha", weak))))
    return cluster


def _in(place: str, pod: Object) -> Object:
    return {**pod, "metadata": {**pod["metadata"], "namespace": place}}


def _edited(pod: Object, edit: Edit) -> Object:
    edited = copy.deepcopy(pod)
    edit(edited["spec"])
    return edited


def _container(**values: Any) -> Edit:
    return lambda spec: spec["containers"][0].update(values)


def _security(**values: Any) -> Edit:
    return lambda spec: spec["containers"][0]["securityContext"].update(values)


def _of_pod(**values: Any) -> Edit:
    return lambda spec: spec["securityContext"].update(values)


def _capability(*names: str) -> Edit:
    return _security(capabilities={"drop": ["ALL"], "add": [*names]})


def _volume(**kind: Any) -> Edit:
    return lambda spec: spec.update(volumes=[{"name": "more", **kind}])


def _all(*edits: Edit) -> Edit:
    def edit(spec: dict[str, Any]) -> None:
        for each in edits:
            each(spec)

    return edit


def _beside(group: str, **security: Any) -> Edit:
    """A further container, hardened but for that."""

    def edit(spec: dict[str, Any]) -> None:
        first = spec["containers"][0]
        context = {**first["securityContext"], **security}
        other = {"name": "other", "image": first["image"], "securityContext": context}
        spec.setdefault(group, []).append(other)

    return edit


UNSET = {"runAsNonRoot": None}
CHOWN = {"drop": ["ALL"], "add": ["CHOWN"]}
UNPRIVILEGED = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
ISCSI = {"targetPortal": "a", "iqn": "iqn.2001-04.com.a:b", "lun": 0}
SECCOMP = {"type": "RuntimeDefault"}
VARIANTS: dict[str, Edit] = {
    "as it is": lambda spec: None,
    "NET_BIND_SERVICE": _capability("NET_BIND_SERVICE"),
    "a capability of baseline": _capability("SETUID"),
    "two capabilities": _capability("NET_BIND_SERVICE", "SETUID"),
    "a capability of neither": _capability("NET_ADMIN"),
    "all capabilities": _capability("ALL"),
    "none dropped": _security(capabilities={}),
    "some dropped": _security(capabilities={"drop": ["NET_RAW"]}),
    "privileged": _security(privileged=True, allowPrivilegeEscalation=True),
    "escalation": _security(allowPrivilegeEscalation=True),
    "escalation by default": _security(allowPrivilegeEscalation=None),
    "root by the container": _security(runAsUser=0),
    "root by the pod": _of_pod(runAsUser=0),
    "another user": _all(_of_pod(runAsUser=1000), _security(runAsUser=2000)),
    "perhaps root by the container": _security(runAsNonRoot=False),
    "perhaps root by the pod": _of_pod(runAsNonRoot=False),
    "perhaps root by default": _all(_of_pod(**UNSET), _security(**UNSET)),
    "not root by the container alone": _of_pod(**UNSET),
    "not root by the pod alone": _security(**UNSET),
    "no seccomp": _of_pod(seccompProfile=None),
    "unconfined": _of_pod(seccompProfile={"type": "Unconfined"}),
    "unconfined by the container": _security(seccompProfile={"type": "Unconfined"}),
    "seccomp by the container alone": _all(
        _of_pod(seccompProfile=None), _security(seccompProfile=SECCOMP)
    ),
    "a writable root file system": _security(readOnlyRootFilesystem=False),
    "an unmasked /proc": _security(procMount="Unmasked"),
    "an unmasked /proc of users of its own": _all(
        lambda spec: spec.update(hostUsers=False), _security(procMount="Unmasked")
    ),
    "a safe sysctl": _of_pod(sysctls=[UNPRIVILEGED]),
    "an unsafe sysctl": _of_pod(sysctls=[{"name": "net.core.somaxconn", "value": "9"}]),
    "SELinux": _of_pod(seLinuxOptions={"type": "spc_t"}),
    "hostNetwork": lambda spec: spec.update(hostNetwork=True),
    "hostPID": lambda spec: spec.update(hostPID=True),
    "hostIPC": lambda spec: spec.update(hostIPC=True),
    "a port of the node": _container(ports=[{"containerPort": 80, "hostPort": 80}]),
    "a path of the node": _volume(hostPath={"path": "/"}),
    "a volume by NFS": _volume(nfs={"server": "a", "path": "/"}),
    "a volume by iSCSI": _volume(iscsi=ISCSI),
    "a ConfigMap": _volume(configMap={"name": "a"}),
    "a Secret": _volume(secret={"secretName": "a"}),
    "an empty directory": _volume(emptyDir={}),
    "a claim": _volume(persistentVolumeClaim={"claimName": "a"}),
    "a driver": _volume(csi={"driver": "a.example.com"}),
    "pod fields": _volume(downwardAPI={"items": []}),
    "a token": _volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
    "an image": _volume(image={"reference": "a.example.com/b:1"}),
    "a step before it": _beside("initContainers"),
    "a weak step before it": _beside("initContainers", allowPrivilegeEscalation=True),
    "a capability of a step": _beside("initContainers", capabilities=CHOWN),
    "a capability of another container": _beside("containers", capabilities=CHOWN),
}


@pytest.mark.parametrize("name", ["plain", "chowner"])
@pytest.mark.parametrize("what", VARIANTS)
def test_it_admits_and_refuses_what_restricted_does(
    admin: Cluster, pods: dict[str, Object], name: str, what: str
) -> None:
    # Without the capability that restricted refuses.
    pod = _edited(_edited(pods[name], _capability()), VARIANTS[what])
    here, there = (creation(admin, _in(place, pod)) for place in ("team-alpha", RESTRICTED))
    assert (here == "") is (there == ""), (here, there)


def test_what_is_compared_is_admitted_in_part_and_refused_in_part(
    admin: Cluster, pods: dict[str, Object]
) -> None:
    """Or the comparison would mean nothing."""
    answers = {
        what: creation(admin, _in("team-alpha", _edited(pods["plain"], edit)))
        for what, edit in VARIANTS.items()
    }
    refused = {what for what, answer in answers.items() if answer}
    assert {"as it is", "NET_BIND_SERVICE", "a ConfigMap", "a step before it"} <= {
        *VARIANTS
    } - refused
    by_policy = {what for what in refused if refused_by(POLICY, answers[what])}
    assert by_policy >= {
        "a capability of baseline", "none dropped", "escalation by default", "root by the pod",
        "perhaps root by default", "no seccomp", "a volume by NFS", "a weak step before it",
    }  # fmt: skip


def test_each_app_s_own_pods_are_admitted(admin: Cluster, pods: dict[str, Object]) -> None:
    for name, pod in pods.items():
        assert creation(admin, _in("team-alpha", pod)) == "", name
    # What needs no lower level is admitted by restricted itself.
    assert creation(admin, _in(RESTRICTED, pods["low"])) == ""
    assert "CHOWN" in creation(admin, _in(RESTRICTED, pods["chowner"]))


def test_the_capability_is_for_the_named_app_s_own_container(
    admin: Cluster, pods: dict[str, Object]
) -> None:
    for pod in (
        _edited(pods["plain"], _capability("CHOWN")),
        _edited(pods["chowner"], _capability("CHOWN", "SETUID")),
        _edited(pods["chowner"], _container(name="other")),
        _edited(pods["chowner"], VARIANTS["a capability of a step"]),
    ):
        answer = creation(admin, _in("team-alpha", pod))
        assert refused_by(POLICY, answer), answer
        assert "apps[].exceptions" in answer


def test_a_debugging_container_gets_no_capability(admin: Cluster, pods: dict[str, Object]) -> None:
    pod = _in("team-alpha", pods["chowner"])
    admin.apply(pod, "test")
    hardened = pods["plain"]["spec"]["containers"][0]["securityContext"]
    weak = {**hardened, "capabilities": CHOWN}
    for context, passes in ((hardened, True), (weak, False)):
        image = pods["plain"]["spec"]["containers"][0]["image"]
        debugger = {"name": "debugger", "image": image, "securityContext": context}
        patch = {"spec": {"ephemeralContainers": [debugger]}}
        answer = change(admin, pod, patch, "strategic-merge", "/ephemeralcontainers")
        assert passes is (answer == ""), answer


def test_the_api_server_has_no_warning_about_the_policy(admin: Cluster) -> None:
    kind = "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"

    def status() -> Any:
        (policy,) = (each for each in admin.list(*kind) if each["metadata"]["name"] == POLICY)
        return policy.get("status")

    until(status)
    assert not (status().get("typeChecking") or {}).get("expressionWarnings")
