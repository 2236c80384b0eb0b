"""The platform's policies on a real API server: what they let in, what they refuse, and whom."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import yaml

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from tests.checkouts import Checkout
from tests.conftest import Program
from tests.program import ADMISSION_BINDING, ADMISSION_POLICY, ROOT
from tests.servers.conftest import cluster_of, record_of, until
from tests.servers.guarded import (
    BAD,
    GOOD,
    HARBOR,
    HOST,
    IMAGE,
    NETWORK_POLICY,
    OTHER,
    OTHER_HOST,
    OTHERS_IMAGE,
    PLATFORM_HOSTS,
    SECRET_STORE,
    SHARED,
    TEAM,
    external_secret,
    pod,
    service,
    virtual_service,
    workload,
)
from tests.written import ISTIO, dev_settings

pytestmark = pytest.mark.servers

DEVELOPERS = "guarded-developers"
OPERATOR = {"namespace": "external-secrets", "serviceAccount": "operator"}
SETTINGS: dict[str, Any] = {
    "teams": [],
    "platform": True,
    "manage": {"harbor": False, "openbao": False},
    "harbor": {"host": HARBOR, "sharedProjects": [SHARED]},
    "externalSecrets": OPERATOR,
    "istio": {**ISTIO, "authorization": "enforce"},
    "platformHosts": ["*.ops.example.com"],
}
# Custom resources that the servers do not have; the policies look at nothing but the kind.
CUSTOM = {
    "generators.external-secrets.io": "Password",
    "security.istio.io": "PeerAuthentication",
    "extensions.istio.io": "TrafficExtension",
    "gateway.networking.k8s.io": "HTTPRoute",
    "helm.toolkit.fluxcd.io": "HelmRelease",
    "kustomize.toolkit.fluxcd.io": "Kustomization",
}
RBAC = "rbac.authorization.k8s.io"


def refusal(call: Callable[[], object]) -> str:
    """What the API server says to a request; empty if it lets it through."""
    try:
        call()
    except RefusedError as error:
        return error.reason
    return ""


def creation(who: Cluster, object: Object) -> str:
    return refusal(lambda: who.create(object, dry_run=True))


def change(who: Cluster, object: Object, patch: Object, form: str = "merge", part: str = "") -> str:
    path = who.path_of(object) + part
    content_type = f"application/{form}-patch+json"
    return refusal(lambda: who.call("PATCH", path, patch, {"dryRun": "All"}, content_type))


def refused_by(policy: str, answer: str) -> bool:
    return f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied" in answer


def namespace(name: str, labels: dict[str, str], hosts: str = "") -> Object:
    metadata = {"name": name, "labels": labels, "annotations": {"sre.io/hosts": hosts}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def role(name: str, group: str, resource: str, verb: str) -> Object:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    metadata = {"name": name}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": [rule],
    }


def bound(role: str, kind: str, subject: str, where: str = TEAM) -> Object:
    metadata = {"name": f"{role}-{subject}", "namespace": where}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": kind, "name": subject}],
    }


def definition(group: str, kind: str) -> Object:
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    metadata = {
        "name": f"{plural}.{group}",
        # The API server asks for it in groups of *.k8s.io.
        "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
    }
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"kind": kind, "plural": plural},
        "versions": [version],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec,
    }


@pytest.fixture(scope="module")
def admin(servers: Checkout, program: Program) -> Cluster:
    """An administrator of a cluster with the policies and a team's namespace."""
    cluster = cluster_of(servers)
    for group, kind in CUSTOM.items():
        cluster.apply(definition(group, kind), "test")
    debugging = "pods/ephemeralcontainers"
    for object in (
        namespace(TEAM, {"sre.io/team": TEAM}, ",".join((OTHER_HOST, *PLATFORM_HOSTS, HOST))),
        *(role(group, group, "*", "*") for group in CUSTOM),
        role("debug", "", debugging, "patch"),
        *(bound(name, "Group", DEVELOPERS) for name in ("edit", "debug", *CUSTOM)),
    ):
        cluster.apply(object, "test")
    guard(cluster, program)
    until(lambda: cluster.get("v1", "ServiceAccount", TEAM, "default"))
    for group in CUSTOM:
        until(lambda group=group: cluster.served(f"{group}/v1"))
    developer = cluster.impersonating("dev", DEVELOPERS)
    for (policy, _), (bad, *_) in BAD.items():
        until(lambda bad=bad, policy=policy: refused_by(policy, creation(developer, bad)))
    return cluster


def guard(cluster: Cluster, program: Program, **settings: Any) -> None:
    made = program(**SETTINGS, **settings)
    for resource in made.all(ADMISSION_POLICY) + made.all(ADMISSION_BINDING):
        cluster.apply(resource.inputs, "test")


@pytest.fixture
def developer(admin: Cluster) -> Cluster:
    return admin.impersonating("dev", DEVELOPERS)


@pytest.mark.parametrize("what", GOOD)
def test_a_developer_may_create(developer: Cluster, what: str) -> None:
    assert [answer for good in GOOD[what] if (answer := creation(developer, good))] == []


@pytest.mark.parametrize(("policy", "word"), BAD)
def test_a_developer_is_refused_with_advice(developer: Cluster, policy: str, word: str) -> None:
    for bad in BAD[policy, word]:
        answer = creation(developer, bad)
        assert refused_by(policy, answer), (bad, answer)
        assert word in answer


def test_the_platform_may_create_everything_that_a_developer_may_not(admin: Cluster) -> None:
    answers = [creation(admin, bad) for group in BAD.values() for bad in group]
    assert [answer for answer in answers if "ValidatingAdmissionPolicy" in answer] == []


@pytest.mark.parametrize("verb", ["update", "patch", "delete"])
def test_whoever_may_change_the_namespace_is_the_platform(admin: Cluster, verb: str) -> None:
    deployer = admin.impersonating(f"deployer-{verb}")
    admin.apply(bound("edit", "User", f"deployer-{verb}"), "test")
    until(lambda: refused_by("sre-platform-only", creation(deployer, NETWORK_POLICY)))
    admin.apply(role(f"namespaces-{verb}", "", "namespaces", verb), "test")
    admin.apply(bound(f"namespaces-{verb}", "User", f"deployer-{verb}"), "test")
    until(lambda: not creation(deployer, NETWORK_POLICY))


@pytest.mark.parametrize("verb", ["get", "create"])
def test_other_rights_on_namespaces_make_no_one_the_platform(admin: Cluster, verb: str) -> None:
    user = admin.impersonating(f"user-{verb}")
    admin.apply(role(f"namespaces-{verb}", "", "namespaces", verb), "test")
    admin.apply(bound(f"namespaces-{verb}", "User", f"user-{verb}"), "test")
    admin.apply(bound("edit", "User", f"user-{verb}"), "test")
    until(lambda: refused_by("sre-platform-only", creation(user, NETWORK_POLICY)))


def test_external_secrets_may_keep_its_finalizers_and_no_other_account_of_its_may(
    admin: Cluster,
) -> None:
    stored(admin, SECRET_STORE)
    patch = {"metadata": {"finalizers": ["external-secrets.io/kept"]}}
    for name, passes in (("operator", True), ("webhook", False)):
        user = f"system:serviceaccount:external-secrets:{name}"
        admin.apply(bound("edit", "User", user), "test")
        account = admin.impersonating(user)
        until(lambda: account.may("patch", "external-secrets.io", "secretstores", TEAM))  # noqa: B023
        answer = change(account, SECRET_STORE, patch)
        assert passes is not refused_by("sre-platform-only", answer)
        assert passes is (answer == "")


def test_external_secrets_makes_no_secret_of_another_team_either(admin: Cluster) -> None:
    operator = admin.impersonating("system:serviceaccount:external-secrets:operator")
    admin.apply(bound("edit", "User", "system:serviceaccount:external-secrets:operator"), "test")
    bad = external_secret(f"sre/{OTHER}/database")
    until(lambda: refused_by("sre-secrets", creation(operator, bad)))


def stored(admin: Cluster, object: Object, name: str = "thing") -> Object:
    """The object, there for the test."""
    object = {**object, "metadata": {**object["metadata"], "name": name}}
    return admin.apply(object, "test")


def test_a_good_object_cannot_be_changed_into_a_bad_one(admin: Cluster, developer: Cluster) -> None:
    for object, patch, policy in (
        (service(), {"spec": {"type": "NodePort"}}, "sre-services"),
        (pod(), {"metadata": {"labels": {"sre.io/team": OTHER}}}, "sre-labels"),
        (
            pod(),
            {"spec": {"containers": [{"name": "main", "image": OTHERS_IMAGE}]}},
            "sre-images",
        ),
        (NETWORK_POLICY, {"metadata": {"labels": {"own": "yes"}}}, "sre-platform-only"),
    ):
        stored(admin, object)
        assert refused_by(policy, change(developer, object, patch, "strategic-merge"))


def test_a_debug_container_is_of_the_team_s_images(admin: Cluster, developer: Cluster) -> None:
    stored(admin, pod())
    for image, passes in ((IMAGE, True), ("busybox:1.37.0", False)):
        debugger = {"name": "debugger", "image": image}
        patch = {"spec": {"ephemeralContainers": [debugger]}}
        answer = change(developer, pod(), patch, "strategic-merge", "/ephemeralcontainers")
        assert passes is (answer == ""), answer
        assert passes is not refused_by("sre-images", answer)


def test_what_the_platform_made_cannot_be_deleted_one_by_one_or_all_at_once(
    admin: Cluster, developer: Cluster
) -> None:
    stored(admin, NETWORK_POLICY)
    collection = developer.path("networking.k8s.io/v1", "NetworkPolicy", TEAM)
    for path in (developer.path_of(NETWORK_POLICY), collection):
        answer = refusal(lambda path=path: developer.call("DELETE", path, query={"dryRun": "All"}))
        assert refused_by("sre-platform-only", answer)


def test_what_was_there_before_the_policies_can_still_be_scaled_and_finalized(
    admin: Cluster, developer: Cluster
) -> None:
    others = {"sre.io/team": OTHER}
    old_pod = pod(OTHERS_IMAGE, labels=others)
    old_set = workload("apps/v1 ReplicaSet", OTHERS_IMAGE, labels=others, replicas=0)
    old_secret = external_secret(f"sre/{OTHER}/database")
    for object in (old_pod, old_set, old_secret, service(type="NodePort")):
        old = stored(admin, object, "old")
        assert change(developer, old, {"metadata": {"annotations": {"seen": "yes"}}}) == ""
    scaled = stored(admin, old_set, "old")
    assert change(developer, scaled, {"spec": {"replicas": 1}}) == ""
    secret = stored(admin, old_secret, "old")
    answer = change(developer, secret, {"spec": {"refreshInterval": "1s"}})
    assert refused_by("sre-secrets", answer)


def test_a_namespace_that_is_no_team_s_is_left_alone(admin: Cluster) -> None:
    admin.apply(namespace("plain", {}), "test")
    admin.apply(bound("edit", "Group", DEVELOPERS, "plain"), "test")
    developer = admin.impersonating("dev", DEVELOPERS)
    until(lambda: developer.may("create", "", "services", "plain"))
    plain = service(type="NodePort")
    assert creation(developer, {**plain, "metadata": {"name": "thing", "namespace": "plain"}}) == ""


def test_the_api_server_finds_nothing_to_warn_of_in_the_policies(admin: Cluster) -> None:
    kind = "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"
    until(lambda: all("status" in policy for policy in admin.list(*kind)))
    warnings = {
        policy["metadata"]["name"]: policy["status"].get("typeChecking", {}) or {}
        for policy in admin.list(*kind)
    }
    assert warnings.keys() == {policy for policy, _ in BAD}
    assert not any(each.get("expressionWarnings") for each in warnings.values()), warnings


HIJACKED = virtual_service("orders.example.com")


@pytest.fixture
def audited(admin: Cluster, developer: Cluster, program: Program) -> Iterator[Cluster]:
    guard(admin, program, guardrails="audit")
    until(lambda: creation(developer, HIJACKED) == "")
    yield admin
    guard(admin, program)
    until(lambda: creation(developer, HIJACKED))


def test_for_audit_the_same_object_is_let_in_with_a_warning(
    audited: Cluster, servers: Checkout
) -> None:
    config = yaml.safe_load(record_of(servers).kubeconfig.read_text())
    path = audited.path(HIJACKED["apiVersion"], HIJACKED["kind"], TEAM)
    answer = requests.post(
        f"{audited.address}/{path}?dryRun=All",
        json=HIJACKED,
        headers={
            "Authorization": f"Bearer {config['users'][0]['user']['token']}",
            "Impersonate-User": "dev",
            "Impersonate-Group": DEVELOPERS,
        },
        verify=str(record_of(servers).ca_cert),
        timeout=30,
    )
    assert answer.status_code == 201
    assert "ValidatingAdmissionPolicy 'sre-hosts'" in answer.headers["Warning"]


@pytest.fixture(scope="module")
def shipped(admin: Cluster, program: Program) -> list[Object]:
    """What the program makes of the shipped teams, each with a store of its own; all there."""
    files = sorted((ROOT / "tenants").glob("*.yaml"))
    made = program(
        *(file.read_text() for file in files),
        **{**SETTINGS, "teams": "*", "externalSecrets": {**OPERATOR, "secretStore": "tenant"}},
        namespace=dev_settings().namespace.model_dump(mode="json", by_alias=True),
    )
    objects = [resource.inputs for resource in made.of_package("kubernetes")]
    for object in objects:
        admin.apply(object, "test")
    return objects


# Those that sre-platform-only keeps from developers, and those that RBAC does.
_THE_PLATFORM_S = {"SecretStore", "NetworkPolicy", "AuthorizationPolicy", "ServiceMonitor"}
_NOT_IN_EDIT = {"ResourceQuota", "LimitRange", "RoleBinding"}


def test_a_developer_may_create_the_like_of_what_the_program_makes(
    admin: Cluster, shipped: list[Object]
) -> None:
    kinds = set()
    for object in shipped:
        metadata, kind = object["metadata"], object["kind"]
        if "namespace" not in metadata or kind in _THE_PLATFORM_S | _NOT_IN_EDIT:
            continue
        developer = admin.impersonating("dev", f"{metadata['namespace']}-developers")
        assert creation(developer, {**object, "metadata": {**metadata, "name": "another"}}) == ""
        kinds.add(kind)
    assert kinds >= {"Deployment", "CronJob", "Service", "ExternalSecret", "VirtualService"}


def test_the_program_s_own_workloads_run_and_its_namespaces_can_be_deleted(
    admin: Cluster, shipped: list[Object]
) -> None:
    running = [object for object in shipped if object["kind"] == "Deployment"]
    for object in running:
        until(lambda object=object: available(admin, object))
    teams = [object["metadata"]["name"] for object in shipped if object["kind"] == "Namespace"]
    assert running
    assert sorted(teams) == ["team-alpha", "team-beta"]
    for team in teams:
        admin.delete("v1", "Namespace", None, team)
    until(lambda: not any(admin.get("v1", "Namespace", None, team) for team in teams))


def available(admin: Cluster, deployment: Object) -> bool:
    status = admin.call("GET", admin.path_of(deployment))["status"]
    return bool(status.get("availableReplicas"))
