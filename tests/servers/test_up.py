"""`make up`, `make preview` and `make down` on real servers; Harbor is simulated."""

import json
import re
import socket
import ssl
import threading
from base64 import b64decode
from typing import Any
from urllib.parse import urlsplit

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from clients.openbao import OpenBao
from sandbox.package import Existing, ServerError, UnfinishedError
from sandbox.real_kubernetes import RealKubernetes
from sandbox.real_openbao import RealOpenBao
from sandbox.simulated_openbao import (
    MOUNT,
    POLICY,
    ROLE,
    SECRET,
)
from tests.checkouts import Checkout, Run
from tests.servers.conftest import impatient_up, nothing_differs, settle, until
from tests.servers.inherited import PROVIDER

pytestmark = pytest.mark.servers

CONFIGURED = "sre.io/network-policy-configured"
CATEGORY = "sre.io/security-categorization"
NAMESPACE_OF_BETA = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-beta"}}


def managed(checkout: Checkout) -> list[Object]:
    """What the state says is on the API server."""
    return list(checkout.cluster().values())


def live(cluster: Cluster, wanted: Object) -> Object | None:
    metadata = wanted["metadata"]
    namespace = metadata.get("namespace")
    return cluster.get(wanted["apiVersion"], wanted["kind"], namespace, metadata["name"])


def managers(object: Object) -> set[str]:
    """Who owns a field of it."""
    return {entry["manager"] for entry in object["metadata"].get("managedFields") or ()}


def quota(cluster: Cluster, team: str) -> Object:
    found = cluster.get("v1", "ResourceQuota", team, f"{team}-quota")
    assert found
    return found


def change(cluster: Cluster, wanted: Object, patch: Object) -> None:
    """As `kubectl patch --type=merge` does."""
    cluster.call("PATCH", cluster.path_of(wanted), patch, None, "application/merge-patch+json")


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> tuple[Checkout, Run]:
    return servers, servers.up()


@pytest.fixture(scope="module")
def first(provisioned: tuple[Checkout, Run]) -> dict[str, Any]:
    """The cluster that the tests that edit begin with."""
    return provisioned[0].cluster()


@pytest.fixture
def checkout(provisioned: tuple[Checkout, Run], first: dict[str, Any]) -> Checkout:
    """The provisioned checkout: what the test before has edited, and so changed, is put back."""
    checkout, _ = provisioned
    checkout.put_back(first, "tenants", "components")
    return checkout


def test_the_first_up_makes_every_object_on_the_servers(
    provisioned: tuple[Checkout, Run], cluster: Cluster, openbao: OpenBao
) -> None:
    checkout, run = provisioned
    assert run.count("created") == len(checkout.resources())
    assert "get all -n team-alpha" in run.output
    wanted = managed(checkout)
    assert len(wanted) > 60
    assert [w["metadata"]["name"] for w in wanted if live(cluster, w) is None] == []
    for team in ("team-alpha", "team-beta"):
        assert openbao.read(f"auth/kubernetes/role/{team}")
        assert openbao.read(f"sys/policies/acl/{team}")


def test_up_has_waited_until_every_deployment_is_available(
    provisioned: tuple[Checkout, Run], cluster: Cluster
) -> None:
    # Autoscalers add pods to the one that these begin with, whether `up` has ended or not.
    least = {"my-api": 1, "frontend": 1, "order-processor": 3}
    available = {
        each["metadata"]["name"]: each["status"].get("availableReplicas", 0)
        for each in cluster.list("apps/v1", "Deployment")
    }
    assert available.keys() == least.keys()
    assert [name for name, pods in least.items() if available[name] < pods] == []


def test_openbao_can_check_the_logins_of_workloads(
    provisioned: tuple[Checkout, Run], cluster: Cluster, openbao: OpenBao
) -> None:
    token = cluster.token("team-alpha", "my-api")
    team = openbao.with_token(None).login("team-alpha", token)
    assert team.read("sre/data/team-alpha/harbor-pull")
    with pytest.raises(RefusedError, match="permission denied"):
        team.read("sre/data/team-beta/harbor-pull")


def test_the_secret_store_has_the_ca_that_verifies_openbao(
    provisioned: tuple[Checkout, Run], cluster: Cluster
) -> None:
    store = cluster.get("external-secrets.io/v1", "ClusterSecretStore", None, "openbao-backend")
    assert store
    vault = store["spec"]["provider"]["vault"]
    server = urlsplit(vault["server"])
    trusting = ssl.create_default_context(cadata=b64decode(vault["caBundle"]).decode())
    address = (server.hostname, server.port)
    with (
        socket.create_connection(address, timeout=10) as connection,
        trusting.wrap_socket(connection, server_hostname=server.hostname) as verified,
    ):
        assert verified.getpeercert()


def test_no_secret_is_in_the_state_or_on_the_screen(
    provisioned: tuple[Checkout, Run], cluster: Cluster, openbao: OpenBao
) -> None:
    checkout, run = provisioned
    stored = [
        openbao.read(f"sre/data/{team}/harbor-{robot}")
        for team in ("team-alpha", "team-beta")
        for robot in ("pull", "push")
    ]
    assert all(stored)
    tokens = [s["data"]["token"] for s in cluster.list("v1", "Secret") if "token" in s["data"]]
    assert tokens
    plain = [b64decode(token).decode() for token in tokens]
    for secret in (*tokens, *plain, *(each["data"]["password"] for each in stored if each)):
        assert secret not in checkout.state()
        assert secret not in run.output


def test_a_second_up_changes_nothing(provisioned: tuple[Checkout, Run], cluster: Cluster) -> None:
    checkout, first = provisioned
    versions = {
        w["metadata"]["uid"]: w for w in cluster.list("networking.k8s.io/v1", "NetworkPolicy")
    }
    assert checkout.up().count("unchanged") == first.count("created")
    for policy in cluster.list("networking.k8s.io/v1", "NetworkPolicy"):
        assert versions[policy["metadata"]["uid"]] == policy


def test_what_up_has_made_shows_no_drift(provisioned: tuple[Checkout, Run]) -> None:
    checkout, first = provisioned
    nothing_differs(checkout)
    assert len(checkout.resources()) == first.count("created")


def test_what_others_change_is_seen_and_put_back(
    checkout: Checkout, cluster: Cluster, openbao: OpenBao
) -> None:
    before = quota(cluster, "team-alpha")
    change(cluster, before, {"spec": {"hard": {"pods": "99"}}})
    cluster.delete("networking.k8s.io/v1", "NetworkPolicy", "team-beta", "allow-dns")
    policy = openbao.read("sys/policies/acl/team-alpha")
    assert policy
    openbao.call("PUT", "sys/policies/acl/team-alpha", {"policy": 'path "*" { policy = "read" }'})

    settle(cluster)
    preview = checkout.run("preview --refresh")
    assert '~ pods: "99" => "20"' in preview.output
    assert (preview.count("to create"), preview.count("to update")) == (1, 2)

    again = checkout.run("up --refresh")
    assert again.steps("created") == {"NetworkPolicy team-beta/allow-dns"}
    assert again.steps("updated") == {
        "ResourceQuota team-alpha/team-alpha-quota",
        "Policy team-alpha",
    }
    assert quota(cluster, "team-alpha")["spec"] == before["spec"]
    mended = openbao.read("sys/policies/acl/team-alpha")
    assert mended
    assert mended["policy"] == policy["policy"]


def test_a_robot_s_new_password_is_no_drift_and_stays(checkout: Checkout, openbao: OpenBao) -> None:
    """As `./sre secret rotate` stores it."""
    path = "sre/data/team-alpha/harbor-pull"
    before = openbao.read(path)
    assert before
    rotated = {**before["data"], "password": "of-a-rotation"}
    openbao.call("PUT", path, {"data": rotated})
    nothing_differs(checkout)
    again = checkout.run("up --refresh")
    assert again.code == 0, again.output
    assert again.steps("updated") == set()
    assert "of-a-rotation" not in again.output
    assert (openbao.read(path) or {})["data"] == rotated


def test_one_edit_is_one_update_on_the_server(checkout: Checkout, cluster: Cluster) -> None:
    checkout.edit("tenants/team-beta.yaml", "pods: 30", "pods: 31")
    assert checkout.up().steps("updated") == {"ResourceQuota team-beta/team-beta-quota"}
    assert quota(cluster, "team-beta")["status"]["hard"]["pods"] == "31"


# What an earlier program made otherwise than this one.
EARLIER = [
    (
        "components/metadata.py",
        "return {**app_selector(app), TEAM_LABEL: team.name, **PLATFORM_LABELS}",
        "return {**app_selector(app), TEAM_LABEL: team.name, **PLATFORM_LABELS,"
        ' "app.kubernetes.io/version": _label_value(app.app.image.tag)}',
    ),
    (
        "components/routing.py",
        'METRICS_SERVICE_PORT = "http-metrics"',
        'METRICS_SERVICE_PORT = "metrics"',
    ),
]


def test_the_first_up_after_an_earlier_program_restarts_nothing(
    checkout: Checkout, cluster: Cluster
) -> None:
    for change in EARLIER:
        checkout.edit(*change)
    checkout.up()
    service = cluster.get("v1", "Service", "team-alpha", "my-api")
    assert service
    assert "app.kubernetes.io/version" in service["metadata"]["labels"]
    assert metrics_port(cluster)["name"] == "metrics"
    before = running(cluster)

    for file, new, old in EARLIER:
        checkout.edit(file, old, new)
    run = checkout.up()
    assert "Service team-alpha/my-api" in run.steps("updated")
    assert not {step for step in run.steps("updated") if step.startswith("Deployment")}
    assert not run.steps("created") | run.steps("deleted") | run.steps("replaced")
    assert running(cluster) == before
    service = cluster.get("v1", "Service", "team-alpha", "my-api")
    assert service
    assert "app.kubernetes.io/version" not in service["metadata"]["labels"]
    assert metrics_port(cluster)["name"] == "http-metrics"


def metrics_port(cluster: Cluster) -> dict[str, Any]:
    """The one port of a worker's Service."""
    service = cluster.get("v1", "Service", "team-beta", "order-processor-metrics")
    assert service
    [port] = service["spec"]["ports"]
    return port


def running(cluster: Cluster) -> set[tuple[str, int]]:
    """Every Deployment, ReplicaSet and pod of the teams, and how often its wish was changed."""
    kinds = (("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), ("v1", "Pod"))
    return {
        (made["metadata"]["uid"], made["metadata"].get("generation", 0))
        for api, kind in kinds
        for made in cluster.list(api, kind)
        if made["metadata"]["namespace"].startswith("team-")
    }


def test_developers_of_an_oidc_login_are_groups_in_openbao(
    checkout: Checkout, openbao: OpenBao
) -> None:
    openbao.call("PUT", "sys/auth/jwt", {"type": "jwt"})
    mount = (openbao.read("sys/auth") or {})["jwt/"]
    found, given = "{inCluster: false", f"{{inCluster: false, oidcAccessor: {mount['accessor']}"
    checkout.edit("Pulumi.dev.yaml", found, given)
    run = checkout.up()
    assert len(run.steps("created")) == 4
    group = openbao.read("identity/group/name/team-alpha.team-alpha-developers")
    assert group
    assert (group["policies"], group["alias"]["name"]) == (["team-alpha"], "team-alpha-developers")
    nothing_differs(checkout)

    checkout.restore("Pulumi.dev.yaml")
    assert checkout.up().code == 0
    assert openbao.read("identity/group/name/team-alpha.team-alpha-developers") is None
    openbao.call("DELETE", "sys/auth/jwt")


def test_a_namespace_arrives_with_the_stack_s_labels_and_the_team_s(
    checkout: Checkout, cluster: Cluster
) -> None:
    def labels(team: str) -> dict[str, str]:
        found = cluster.get("v1", "Namespace", None, team)
        assert found
        return {key: found["metadata"]["labels"].get(key) for key in (CONFIGURED, CATEGORY)}

    assert labels("team-alpha") == {CONFIGURED: "true", CATEGORY: "moderate"}
    assert labels("team-beta") == {CONFIGURED: "true", CATEGORY: "low"}
    checkout.edit("tenants/team-beta.yaml", f"{CATEGORY}: low", f"{CATEGORY}: moderate")
    assert checkout.up().steps("updated") == {"Namespace team-beta"}
    assert labels("team-beta")[CATEGORY] == "moderate"
    developer = cluster.impersonating("somebody", "team-beta-developers")
    with pytest.raises(RefusedError, match="cannot patch resource"):
        change(developer, NAMESPACE_OF_BETA, {"metadata": {"labels": {CATEGORY: "low"}}})


def test_a_group_has_its_rights_under_the_name_that_the_api_server_knows(
    checkout: Checkout, cluster: Cluster
) -> None:
    def may_list(group: str, kind: str, team: str) -> bool:
        try:
            cluster.impersonating("somebody", group).list("v1", kind, team)
        except RefusedError:
            return False
        return True

    assert may_list("team-alpha-developers", "Secret", "team-alpha")
    identifier = "clusterIdentifier: sre-dev\n"
    checkout.edit("Pulumi.dev.yaml", identifier, f"{identifier}    groupPrefix: 'oidc:'\n")
    assert {step.partition(" ")[0] for step in checkout.up().steps("updated")} == {"RoleBinding"}
    until(lambda: may_list("oidc:team-alpha-developers", "Secret", "team-alpha"))
    until(lambda: not may_list("team-alpha-developers", "Secret", "team-alpha"))
    # Another role than edit, and in its own team's namespace alone.
    until(lambda: may_list("oidc:incident-response", "Pod", "team-beta"))
    assert not may_list("oidc:incident-response", "Secret", "team-beta")
    assert not may_list("oidc:incident-response", "Pod", "team-alpha")
    nothing_differs(checkout)


def test_a_quota_without_a_limit_on_pods_has_none_until_the_team_is_suspended(
    checkout: Checkout, cluster: Cluster
) -> None:
    checkout.edit("tenants/team-beta.yaml", "pods: 30", "pods: null")
    assert checkout.up().steps("updated") == {"ResourceQuota team-beta/team-beta-quota"}
    assert "pods" not in quota(cluster, "team-beta")["spec"]["hard"]
    checkout.edit("tenants/team-beta.yaml", "lifecycle: active", "lifecycle: suspended")
    checkout.up()
    until(lambda: quota(cluster, "team-beta")["status"]["hard"].get("pods") == "0")


def test_a_misspelt_field_is_refused_before_anything_is_changed(checkout: Checkout) -> None:
    before = checkout.state()
    checkout.edit("components/monitoring.py", '"groups":', '"grops":')
    checkout.edit("tenants/team-beta.yaml", "pods: 30", "pods: 31")
    run = checkout.run("up")
    assert run.code == 1
    assert "PrometheusRule team-alpha/my-api: .spec.grops: field not declared" in run.output
    assert "Traceback" not in run.output
    assert checkout.state() == before


def test_what_the_clusters_own_policies_forbid_is_refused_with_their_message(
    checkout: Checkout, cluster: Cluster
) -> None:
    rule = {
        "resourceRules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["resourcequotas"],
                "operations": ["CREATE", "UPDATE"],
            }
        ]
    }
    refusal = {
        "expression": "object.spec.hard['pods'] != '31'",
        "message": "31 pods are nobody's wish",
    }
    api, name = "admissionregistration.k8s.io/v1", {"name": "no-31-pods"}
    policy = {
        "apiVersion": api,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": name,
        "spec": {"matchConstraints": rule, "validations": [refusal]},
    }
    binding = {
        "apiVersion": api,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": name,
        "spec": {"policyName": "no-31-pods", "validationActions": ["Deny"]},
    }
    cluster.create(policy)
    cluster.create(binding)
    forbidden = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"hard": {"pods": "31"}},
    }
    try:
        until(lambda: refused(cluster, forbidden))
        before = checkout.state()
        checkout.edit("tenants/team-beta.yaml", "pods: 30", "pods: 31")
        run = checkout.run("up")
        assert run.code == 1
        assert "ResourceQuota team-beta/team-beta-quota: " in run.output
        assert "31 pods are nobody's wish" in run.output
        assert checkout.state() == before
    finally:
        for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
            cluster.delete(api, kind, None, "no-31-pods")


def refused(cluster: Cluster, wanted: Object) -> bool:
    try:
        cluster.create(wanted, dry_run=True)
    except RefusedError:
        return True
    return False


def test_an_object_that_others_have_made_is_not_taken_over(
    checkout: Checkout, cluster: Cluster
) -> None:
    name = {"name": "team-gamma", "labels": {"made": "by-hand"}}
    theirs = cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": name})
    (checkout.folder / "tenants/team-gamma.yaml").write_text("team: team-gamma\n", encoding="utf-8")
    before = checkout.state()
    run = checkout.run("up")
    assert run.code == 1
    assert "Namespace team-gamma already exists, but this stack did not create it" in run.output
    assert checkout.state() == before
    found = live(cluster, theirs)
    assert found
    assert not any(map(PROVIDER.fullmatch, managers(found)))
    cluster.delete("v1", "Namespace", None, "team-gamma")
    until(lambda: live(cluster, theirs) is None)


def test_what_never_gets_ready_is_reported_and_the_next_up_finishes_it(
    checkout: Checkout, cluster: Cluster
) -> None:
    tight = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tight", "namespace": "team-beta"},
        "spec": {"hard": {"pods": "0"}},
    }
    cluster.create(tight)
    until(lambda: "hard" in (live(cluster, tight) or {}).get("status", {}))
    checkout.edit("tenants/team-beta.yaml", 'tag: "v1.3.0"', 'tag: "v1.3.1"')
    run = impatient_up(checkout)
    assert run.code == 1
    assert "Deployment team-beta/order-processor: not ready after 3 s" in run.output
    assert "exceeded quota: tight" in run.output
    assert "Waiting for Deployment team-beta/order-processor: " in run.output  # and says why
    [waiting] = [r for r in checkout.resources() if r.get("initErrors")]
    assert waiting["id"] == "team-beta/order-processor"

    cluster.delete("v1", "ResourceQuota", "team-beta", "tight")
    checkout.up()
    assert not [r for r in checkout.resources() if r.get("initErrors")]
    deployment = cluster.get("apps/v1", "Deployment", "team-beta", "order-processor")
    assert deployment
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(":v1.3.1")
    assert deployment["status"]["availableReplicas"] == 3


def test_pods_that_no_node_takes_say_why(cluster: Cluster) -> None:
    labels = {"app": "nowhere"}
    pod = {"containers": [{"name": "main", "image": "registry.invalid/main:1"}]}
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nowhere", "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": pod | {"nodeSelector": {"no-node": "has-it"}},
            },
        },
    }
    cluster.create(wanted)
    server = RealKubernetes(cluster, threading.Event())

    counted = "Deployment default/nowhere: 1 of 1 pods are up to date, 0 available"
    whole = re.compile(f"{counted}.*node affinity/selector")

    def said() -> str:
        with pytest.raises(UnfinishedError) as caught:
            server.read("apps/v1:Deployment", Existing("default/nowhere", wanted, {}))
        return str(caught.value)

    try:
        until(lambda: whole.match(said()))
    finally:
        cluster.delete("apps/v1", "Deployment", "default", "nowhere")


def test_a_mount_is_moved_with_what_it_holds(openbao: OpenBao) -> None:
    server = RealOpenBao(openbao, threading.Event())
    inputs = {"path": "here", "type": "kv-v2", "description": "to be moved"}
    secret = {"mount": "there", "name": "a", "dataJson": json.dumps({"key": "value"})}
    id, outputs = server.create(MOUNT, inputs)
    openbao.call("PUT", "here/data/a", {"data": {"key": "value"}})
    moved = {**inputs, "path": "there"}
    after = server.update(MOUNT, Existing(id, inputs, outputs), moved)
    mount = Existing(id, moved, after)
    assert after["accessor"] == outputs["accessor"]
    assert server.read(SECRET, Existing("there/data/a", secret, {})) is not None
    server.delete(MOUNT, mount)
    assert server.read(MOUNT, mount) is None


def test_a_mount_of_somebody_else_is_not_taken_over(openbao: OpenBao) -> None:
    server = RealOpenBao(openbao, threading.Event())
    openbao.call("PUT", "sys/mounts/theirs", {"type": "kv", "description": "theirs"})
    with pytest.raises(ServerError, match="OpenBao Mount theirs already exists"):
        server.create(MOUNT, {"path": "theirs", "type": "kv-v2"})
    openbao.call("DELETE", "sys/mounts/theirs")


def test_a_creation_that_is_repeated_finds_what_the_first_has_made(openbao: OpenBao) -> None:
    server = RealOpenBao(openbao, threading.Event())
    mount = {"path": "twice", "type": "kv-v2", "description": "made twice"}
    secret = {"mount": "twice", "name": "a", "dataJson": '{"key": "value"}'}
    assert server.create(MOUNT, mount) == server.create(MOUNT, mount)
    server.create(SECRET, secret)
    _, outputs = server.create(SECRET, secret)
    assert outputs["metadata"]["version"] == "1"
    openbao.call("DELETE", "sys/mounts/twice")


def test_an_input_that_is_taken_away_is_emptied_on_the_server(
    provisioned: tuple[Checkout, Run], openbao: OpenBao
) -> None:
    server = RealOpenBao(openbao, threading.Event())
    role = {
        "backend": "kubernetes",
        "roleName": "probe",
        "boundServiceAccountNames": ["a"],
        "boundServiceAccountNamespaces": ["b"],
    }
    with_policy = {**role, "tokenPolicies": ["default"], "tokenTtl": 60}
    id, outputs = server.create(ROLE, with_policy)
    server.update(ROLE, Existing(id, with_policy, outputs), role)
    found = openbao.read("auth/kubernetes/role/probe")
    assert found
    assert (found["token_policies"], found["token_ttl"]) == ([], 0)
    server.delete(ROLE, Existing(id, role, outputs))
    assert openbao.read("auth/kubernetes/role/probe") is None


def test_what_openbao_would_not_accept_is_refused(openbao: OpenBao) -> None:
    server = RealOpenBao(openbao, threading.Event())
    with pytest.raises(ServerError, match="does not pass on namespace"):
        server.preview(POLICY, {"name": "x", "policy": "", "namespace": "y"}, None)


def test_down_leaves_nothing_on_the_servers(
    provisioned: tuple[Checkout, Run], cluster: Cluster, openbao: OpenBao
) -> None:
    checkout, _ = provisioned
    wanted = managed(checkout)
    down = checkout.run("down")
    assert down.code == 0, down.output
    assert checkout.names() == set()
    assert [w for w in wanted if live(cluster, w)] == []
    kinds = {(object["apiVersion"], object["kind"]) for object in wanted}
    left = [o for kind in kinds for o in cluster.list(*kind)]
    assert [o for o in left if any(map(PROVIDER.fullmatch, managers(o)))] == []
    assert set(openbao.read("sys/mounts") or {}) == {"cubbyhole/", "identity/", "sys/"}
    assert set(openbao.read("sys/auth") or {}) == {"token/"}
    assert (openbao.read("sys/policies/acl?list=true") or {})["keys"] == ["default", "root"]
    assert "nothing to remove" in checkout.run("down").output
