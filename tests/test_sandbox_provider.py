"""The sandbox's providers, asked over gRPC as Pulumi's engine asks them."""

import json
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2
from pulumi.runtime.rpc import UNKNOWN

from sandbox import provider
from sandbox.diff import drift
from sandbox.package import Existing, Properties, ServerError, UnfinishedError
from sandbox.ready import held_up, missing

NAMESPACE = "kubernetes:core/v1:Namespace"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
PROJECT = "harbor:index/project:Project"
ROBOT = "harbor:index/robotAccount:RobotAccount"
RETENTION = "harbor:index/retentionPolicy:RetentionPolicy"
KUBERNETES_SECRET = "kubernetes:core/v1:Secret"
MOUNT = "vault:index/mount:Mount"
SECRET = "vault:kv/secretV2:SecretV2"

TEAM = {"metadata": {"name": "team-alpha"}}
APP = {"metadata": {"name": "my-api", "namespace": "team-alpha"}, "spec": {"replicas": 2}}
CI_ROBOT = {
    "name": "ci",
    "level": "project",
    "permissions": [{"kind": "project", "namespace": "team-alpha"}],
}


@dataclass
class Engine:
    """Asks what Pulumi's engine would ask; `urn` distinguishes resources of a type."""

    stub: provider_pb2_grpc.ResourceProviderStub

    def check(self, token: str, inputs: dict[str, Any], name: str = "it", olds: Any = None) -> str:
        """The reasons for which the inputs are refused; empty if they are not."""
        request = pb.CheckRequest(
            urn=urn(token, name), olds=struct(olds or {}), news=struct(inputs)
        )
        response = self.stub.Check(request)
        assert response.inputs == request.news
        return "; ".join(failure.reason for failure in response.failures)

    def create(
        self, token: str, inputs: dict[str, Any], name: str = "it", preview: bool = False
    ) -> tuple[str, dict[str, Any]]:
        request = pb.CreateRequest(urn=urn(token, name), properties=struct(inputs), preview=preview)
        response = self.stub.Create(request)
        return response.id, MessageToDict(response.properties)

    def update(
        self, token: str, olds: dict[str, Any], old: dict[str, Any], new: dict[str, Any]
    ) -> dict[str, Any]:
        request = pb.UpdateRequest(
            urn=urn(token, "it"), olds=struct(olds), old_inputs=struct(old), news=struct(new)
        )
        return MessageToDict(self.stub.Update(request).properties)

    def diff(self, token: str, old: dict[str, Any], new: dict[str, Any]) -> pb.DiffResponse:
        request = pb.DiffRequest(urn=urn(token, "it"), old_inputs=struct(old), news=struct(new))
        return self.stub.Diff(request)

    def exists(self, token: str, inputs: dict[str, Any]) -> bool:
        request = pb.ReadRequest(id="some-id", urn=urn(token, "it"), inputs=struct(inputs))
        return self.stub.Read(request).id == "some-id"

    def delete(self, token: str, inputs: dict[str, Any]) -> None:
        self.stub.Delete(pb.DeleteRequest(urn=urn(token, "it"), old_inputs=struct(inputs)))


@pytest.fixture
def engine(request):
    """An engine beside a stand-in, seeded with the resources that the test names, if any."""
    with provider.serve(getattr(request, "param", [])) as providers:
        port = providers.rpartition(":")[2]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Engine(provider_pb2_grpc.ResourceProviderStub(channel))


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:dev::sre-platform::sre:platform:Tenant${token}::{name}"


def struct(values: dict[str, Any]) -> Struct:
    message = Struct()
    message.update(values)
    return message


def state(token: str, id: str, inputs: dict[str, Any]) -> dict[str, Any]:
    return {"urn": urn(token, "it"), "type": token, "id": id, "inputs": inputs}


def test_one_port_serves_the_three_packages_under_their_names():
    with provider.serve([]) as providers:
        names, ports = zip(*(entry.split(":") for entry in providers.split(",")), strict=True)
    assert names == ("kubernetes", "harbor", "vault")
    assert len(set(ports)) == 1


def test_two_stand_ins_have_different_ports():
    with provider.serve([]) as one, provider.serve([]) as other:
        assert one != other


@pytest.mark.parametrize(
    "token",
    [
        "kubernetes:apps/v1:Deploymnt",
        "kubernetes:example.com/v1:Widget",
        "kubernetes:networking.istio.io/v1alpha1:VirtualService",
        "harbor:index/project:Projet",
        "vault:index/policy:Polcy",
    ],
)
def test_an_unknown_type_is_refused(engine, token):
    assert "do not know the type" in engine.check(token, {"name": "x", "metadata": {"name": "x"}})


@pytest.mark.parametrize(
    "token",
    [
        "kubernetes:external-secrets.io/v1:ExternalSecret",
        "kubernetes:external-secrets.io/v1beta1:ClusterSecretStore",
        "kubernetes:monitoring.coreos.com/v1:PrometheusRule",
        "kubernetes:networking.istio.io/v1:VirtualService",
    ],
)
def test_a_custom_resource_that_the_platform_needs_is_accepted(engine, token):
    assert engine.check(token, {"metadata": {"name": "x"}}) == ""


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (DEPLOYMENT, {"metadata": {"namespace": "team-alpha"}}),
        (DEPLOYMENT, {}),
        (PROJECT, {"public": "false"}),
        (ROBOT, {"level": "project"}),
        (MOUNT, {"type": "kv-v2"}),
        (SECRET, {"mount": "sre"}),
    ],
)
def test_an_object_without_an_explicit_name_is_refused(engine, token, inputs):
    assert "explicit name" in engine.check(token, inputs)


@pytest.mark.parametrize(
    ("token", "inputs", "reason"),
    [
        (DEPLOYMENT, {"metadata": {"name": "My_Api"}}, "DNS-1123"),
        (PROJECT, {"name": "Team-Alpha"}, "lower case"),
        (RETENTION, {"scope": "/projects/1", "schedule": "weekly"}, "Weekly"),
        (SECRET, {"mount": "sre", "name": "x", "dataJson": "no json"}, "JSON object"),
    ],
)
def test_values_that_a_server_would_refuse_are_refused(engine, token, inputs, reason):
    assert reason in engine.check(token, inputs)


def test_a_refused_secret_is_not_named_for_the_engine_to_show(engine):
    inputs = {**CI_ROBOT, "secret": "weak-secret"}
    [failure] = engine.stub.Check(
        pb.CheckRequest(urn=urn(ROBOT, "it"), news=struct(inputs))
    ).failures
    assert "weak-secret" not in failure.reason
    assert failure.property == ""


def test_what_a_preview_does_not_know_is_not_judged(engine):
    assert engine.check(PROJECT, {"name": UNKNOWN}) == ""
    assert engine.check(DEPLOYMENT, {"metadata": {"name": "x", "namespace": UNKNOWN}}) == ""
    assert engine.check(SECRET, {"mount": "sre", "name": "x", "dataJson": UNKNOWN}) == ""


def test_a_name_that_the_program_uses_twice_is_refused_before_anything_is_created(engine):
    assert engine.check(DEPLOYMENT, APP, name="one") == ""
    assert "already exists, created by 'one'" in engine.check(DEPLOYMENT, APP, name="other")


def test_one_name_in_two_namespaces_or_of_two_kinds_is_accepted(engine):
    elsewhere = {"metadata": {"name": "my-api", "namespace": "team-beta"}}
    assert engine.check(DEPLOYMENT, APP, name="one") == ""
    assert engine.check(DEPLOYMENT, elsewhere, name="two") == ""
    assert engine.check("kubernetes:core/v1:Service", APP, name="three") == ""


@pytest.mark.parametrize("engine", [[state(PROJECT, "/projects/3", {"name": "a"})]], indirect=True)
def test_what_the_state_lists_exists_and_keeps_its_name(engine):
    assert engine.exists(PROJECT, {"name": "a"})
    assert "already exists" in engine.check(PROJECT, {"name": "a"}, name="another")
    assert engine.check(PROJECT, {"name": "a"}, olds={"name": "a"}) == ""


@pytest.mark.parametrize("engine", [[state(PROJECT, "/projects/3", {"name": "a"})]], indirect=True)
def test_ids_continue_where_the_state_ends(engine):
    id, outputs = engine.create(PROJECT, {"name": "b"})
    assert (id, outputs["projectId"]) == ("/projects/4", 4)


@pytest.mark.parametrize(
    "engine",
    [[{**state(PROJECT, "/projects/3", {"name": "a"}), "pendingReplacement": True}]],
    indirect=True,
)
def test_what_a_cut_short_replacement_has_deleted_is_gone(engine):
    assert not engine.exists(PROJECT, {"name": "a"})


def test_creating_in_a_namespace_that_does_not_exist_fails(engine):
    with pytest.raises(grpc.RpcError, match="Namespace 'team-alpha' does not exist"):
        engine.create(DEPLOYMENT, APP)
    engine.create(NAMESPACE, TEAM)
    engine.create(DEPLOYMENT, APP)


def test_creating_what_exists_fails(engine):
    engine.create(PROJECT, {"name": "team-alpha"})
    with pytest.raises(grpc.RpcError, match="Harbor project 'team-alpha' already exists"):
        engine.create(PROJECT, {"name": "team-alpha"}, name="other")


@pytest.mark.parametrize(
    ("token", "inputs", "missing"),
    [
        (ROBOT, CI_ROBOT, "Harbor project 'team-alpha'"),
        (RETENTION, {"scope": "/projects/7"}, "Harbor project '/projects/7'"),
        (SECRET, {"mount": "sre", "name": "x"}, "OpenBao Mount 'sre'"),
        (
            "vault:kubernetes/authBackendRole:AuthBackendRole",
            {"backend": "kubernetes", "roleName": "x"},
            "OpenBao AuthBackend 'kubernetes'",
        ),
    ],
)
def test_creating_in_something_that_does_not_exist_fails(engine, token, inputs, missing):
    with pytest.raises(grpc.RpcError, match=f"{missing} does not exist"):
        engine.create(token, inputs)


def test_a_preview_creates_nothing_and_leaves_computed_outputs_unknown(engine):
    id, outputs = engine.create(PROJECT, {"name": "team-alpha"}, preview=True)
    assert (id, outputs) == ("", {"name": "team-alpha"})
    assert not engine.exists(PROJECT, {"name": "team-alpha"})


def test_a_deleted_namespace_takes_what_it_holds_with_it(engine):
    engine.create(NAMESPACE, TEAM)
    engine.create(DEPLOYMENT, APP)
    engine.delete(NAMESPACE, TEAM)
    assert not engine.exists(DEPLOYMENT, APP)


def test_a_deleted_name_is_free_again(engine):
    engine.create(PROJECT, {"name": "team-alpha"})
    engine.delete(PROJECT, {"name": "team-alpha"})
    id, _ = engine.create(PROJECT, {"name": "team-alpha"})
    assert id == "/projects/2"


def test_a_kubernetes_object_comes_back_live_and_stays_the_same_object(engine):
    engine.create(NAMESPACE, TEAM)
    id, live = engine.create(DEPLOYMENT, APP)
    assert id == "team-alpha/my-api"
    assert live["metadata"]["uid"]
    changed = {**APP, "spec": {"replicas": 3}}
    updated = engine.update(DEPLOYMENT, live, APP, changed)
    assert updated["spec"] == {"replicas": 3}
    assert updated["metadata"]["uid"] == live["metadata"]["uid"]
    assert updated["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]


def test_a_robot_gets_a_full_name_and_a_strong_secret_that_an_update_keeps(engine):
    engine.create(PROJECT, {"name": "team-alpha"})
    id, robot = engine.create(ROBOT, CI_ROBOT)
    assert (id, robot["robotId"]) == ("/robots/1", "1")
    assert robot["fullName"] == "robot$team-alpha+ci"
    assert engine.check(ROBOT, {**CI_ROBOT, "secret": robot["secret"]}) == ""
    updated = engine.update(ROBOT, robot, CI_ROBOT, {**CI_ROBOT, "duration": 30})
    assert updated["secret"] == robot["secret"]


def test_two_robots_get_different_secrets(engine):
    engine.create(PROJECT, {"name": "team-alpha"})
    _, one = engine.create(ROBOT, CI_ROBOT)
    _, other = engine.create(ROBOT, {**CI_ROBOT, "name": "pull"}, name="pull")
    assert one["secret"] != other["secret"]


def test_a_stored_secret_shows_its_data_and_counts_its_versions(engine):
    engine.create(MOUNT, {"path": "sre", "type": "kv-v2"})
    inputs = {"mount": "sre", "name": "team-alpha/x", "dataJson": json.dumps({"value": "v1"})}
    id, secret = engine.create(SECRET, inputs)
    assert id == secret["path"] == "sre/data/team-alpha/x"
    assert (secret["data"], secret["metadata"]["version"]) == ({"value": "v1"}, "1")
    changed = {**inputs, "dataJson": json.dumps({"value": "v2"})}
    updated = engine.update(SECRET, secret, inputs, changed)
    assert (updated["data"], updated["metadata"]["version"]) == ({"value": "v2"}, "2")


def test_equal_inputs_are_no_change(engine):
    assert engine.diff(DEPLOYMENT, APP, APP).changes == pb.DiffResponse.DIFF_NONE


def test_a_change_is_named_by_its_path(engine):
    old = {"spec": {"containers": [{"image": "a"}]}, "metadata": {"labels": {"sre.io/team": "a"}}}
    new = {
        "spec": {"containers": [{"image": "b"}, {"image": "c"}]},
        "metadata": {"labels": {}},
        "immutable": True,
    }
    response = engine.diff(DEPLOYMENT, old, new)
    kinds = {path: change.kind for path, change in response.detailedDiff.items()}
    assert kinds == {
        "spec.containers[0].image": pb.PropertyDiff.UPDATE,
        "spec.containers[1]": pb.PropertyDiff.ADD,
        'metadata.labels["sre.io/team"]': pb.PropertyDiff.DELETE,
        "immutable": pb.PropertyDiff.ADD,
    }
    assert list(response.diffs) == ["immutable", "metadata", "spec"]
    assert not response.replaces


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        (DEPLOYMENT, APP, {**APP, "metadata": {"name": "other", "namespace": "team-alpha"}}),
        (DEPLOYMENT, APP, {**APP, "metadata": {"name": "my-api", "namespace": "other"}}),
        (DEPLOYMENT, {"spec": {"selector": {"a": "1"}}}, {"spec": {"selector": {"a": "2"}}}),
        (PROJECT, {"name": "a"}, {"name": "b"}),
        (ROBOT, CI_ROBOT, {**CI_ROBOT, "name": "other"}),
        (RETENTION, {"scope": "/projects/1"}, {"scope": "/projects/2"}),
        (MOUNT, {"path": "sre", "type": "kv"}, {"path": "sre", "type": "kv-v2"}),
        (SECRET, {"mount": "sre", "name": "a"}, {"mount": "sre", "name": "b"}),
    ],
)
def test_a_change_of_what_names_an_object_replaces_it_the_old_one_first(engine, token, old, new):
    response = engine.diff(token, old, new)
    assert response.replaces
    assert response.deleteBeforeReplace


def test_a_mount_moves_with_what_it_holds(engine):
    mount = {"path": "sre", "type": "kv-v2"}
    moved = {**mount, "path": "platform"}
    _, outputs = engine.create(MOUNT, mount)
    assert not engine.diff(MOUNT, mount, moved).replaces
    assert engine.update(MOUNT, outputs, mount, moved)["accessor"] == outputs["accessor"]
    assert engine.exists(MOUNT, moved)
    assert not engine.exists(MOUNT, mount)


def test_a_resource_that_an_alias_renamed_can_still_be_replaced(engine):
    engine.create(PROJECT, {"name": "team-alpha"}, name="old-name")
    engine.diff(PROJECT, {"name": "team-alpha"}, {"name": "team-alpha", "registryId": 1})
    assert engine.check(PROJECT, {"name": "team-alpha", "registryId": 1}) == ""


def test_the_token_of_a_service_account_is_in_its_secret_and_stays(engine):
    inputs = {**APP, "type": "kubernetes.io/service-account-token"}
    engine.create(NAMESPACE, TEAM)
    _, secret = engine.create(KUBERNETES_SECRET, inputs)
    assert set(secret["data"]) == {"token", "ca.crt"}
    assert engine.update(KUBERNETES_SECRET, secret, inputs, inputs)["data"] == secret["data"]


class RealServer:
    """A server of Kubernetes objects that gives the answers that a test sets."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def preview(self, kind: str, inputs: Properties, old: Existing | None) -> Any:
        return self._answered(kind, inputs)

    def create(self, kind: str, inputs: Properties) -> Any:
        return self._answered(kind, inputs)

    def read(self, kind: str, old: Existing) -> Any:
        return self._answered(kind, old)

    def update(self, kind: str, old: Existing, inputs: Properties) -> Any:
        return self._answered(kind, inputs)

    def delete(self, kind: str, old: Existing) -> None:
        self._answered(kind, old)

    def _answered(self, *asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Asked:
    """An engine, and the server that its questions about Kubernetes come to."""

    engine: Engine
    server: RealServer


@pytest.fixture
def real(request):
    server = RealServer(request.param)
    with provider.serve([], {"kubernetes": server}) as providers:
        port = providers.rpartition(":")[2]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Asked(Engine(provider_pb2_grpc.ResourceProviderStub(channel)), server)


@pytest.mark.parametrize("real", [("team-alpha/my-api", {"live": True})], indirect=True)
def test_a_real_server_is_asked_with_whole_numbers_and_its_answer_is_passed_on(real):
    assert real.engine.create(DEPLOYMENT, APP) == ("team-alpha/my-api", {"live": True})
    [(kind, inputs)] = real.server.asked
    assert (kind, inputs) == ("apps/v1:Deployment", APP)
    assert json.dumps(inputs["spec"]) == '{"replicas": 2}'


@pytest.mark.parametrize("real", [("team-alpha/my-api", {})], indirect=True)
def test_what_the_state_has_under_another_name_is_not_created_twice_on_a_real_server(real):
    real.engine.create(DEPLOYMENT, APP, name="one")
    with pytest.raises(grpc.RpcError, match="already exists"):
        real.engine.create(DEPLOYMENT, APP, name="two")
    assert len(real.server.asked) == 1


@pytest.mark.parametrize("real", [("id", {})], indirect=True)
def test_beside_a_real_server_the_others_are_simulated(real):
    real.engine.create(PROJECT, {"name": "team-alpha"})
    assert real.engine.exists(PROJECT, {"name": "team-alpha"})
    assert real.server.asked == []


@pytest.mark.parametrize("real", [ServerError("Deployment my-api: forbidden")], indirect=True)
def test_a_refusal_of_a_real_server_is_the_engines_error_in_one_line(real):
    with pytest.raises(grpc.RpcError) as caught:
        real.engine.create(DEPLOYMENT, APP)
    assert caught.value.details() == "Deployment my-api: forbidden"
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    "real",
    [UnfinishedError("not ready", Existing("team-alpha/my-api", APP, {"live": True}))],
    indirect=True,
)
@pytest.mark.parametrize(
    "operation",
    [
        lambda engine: engine.create(DEPLOYMENT, APP),
        lambda engine: engine.update(DEPLOYMENT, {}, APP, APP),
        lambda engine: engine.exists(DEPLOYMENT, APP),
    ],
    ids=["create", "update", "read"],
)
def test_an_object_that_is_not_ready_is_passed_on_for_the_state(real, operation):
    with pytest.raises(grpc.RpcError, match="not ready") as caught:
        operation(real.engine)
    details = {entry.key: entry.value for entry in caught.value.trailing_metadata()}
    unfinished = pb.ErrorResourceInitFailed()
    assert (
        status_pb2.Status.FromString(details["grpc-status-details-bin"])
        .details[0]
        .Unpack(unfinished)
    )
    assert unfinished.id == "team-alpha/my-api"
    assert MessageToDict(unfinished.properties) == {"live": True}
    assert list(unfinished.reasons) == ["not ready"]


@pytest.mark.parametrize(
    ("inputs", "wanted", "live", "seen"),
    [
        ({"cpu": "1000m"}, {"cpu": "1"}, {"cpu": "1"}, {"cpu": "1000m"}),
        ({"cpu": "1000m"}, {"cpu": "1"}, {"cpu": "2"}, {"cpu": "2"}),
        ({"a": 1}, {"a": 1, "b": "default"}, {"a": 1, "b": "other"}, {"a": 1}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}),
        ({"stringData": "x"}, {"data": "y"}, {"data": "y", "uid": 1}, {"stringData": "x"}),
        (
            {"l": [{"a": 1}]},
            {"l": [{"a": 1, "b": 2}]},
            {"l": [{"a": 3, "b": 2}]},
            {"l": [{"a": 3}]},
        ),
        ({"l": [1, 2]}, {"l": [1, 2]}, {"l": [1]}, {"l": [1]}),
        ({"l": [1]}, {"l": [1]}, {"l": [1, 2]}, {"l": [1]}),
        ({"l": [1]}, {"l": [1]}, {"l": [2, 1]}, {"l": [2]}),
    ],
    ids=[
        "other words",
        "changed",
        "default",
        "removed",
        "never shown",
        "in a list",
        "shorter list",
        "added after",
        "added before",
    ],
)
def test_only_what_differs_from_what_was_asked_for_is_drift(inputs, wanted, live, seen):
    assert drift(inputs, wanted, live) == seen


def deployment(**status: Any) -> dict[str, Any]:
    metadata = {"name": "my-api", "generation": 2}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 2}, "status": status}


READY = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
NO_PODS = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (deployment(**READY), ""),
        (deployment(**{**READY, "observedGeneration": 1}), "2 of 2 pods are up to date"),
        (deployment(**{**READY, "replicas": 3}), "2 of 2 pods are up to date"),
        (deployment(**{**READY, "availableReplicas": 1}), "up to date, 1 available"),
        (
            deployment(conditions=[NO_PODS]),
            "0 of 2 pods are up to date, 0 available; exceeded quota",
        ),
        ({"kind": "ResourceQuota", "metadata": {}, "spec": {"hard": {"pods": "1"}}}, "not yet"),
        ({"kind": "ConfigMap", "metadata": {}}, ""),
        (
            {
                "kind": "Secret",
                "metadata": {"annotations": {"pulumi.com/skipAwait": "true"}},
                "type": "kubernetes.io/service-account-token",
            },
            "",
        ),
    ],
)
def test_what_an_object_still_waits_for_is_reported(live, said):
    assert said in missing(live)
    assert bool(missing(live)) == bool(said)


def pod(kind: str = "containerStatuses", scheduled: str = "True", **waiting: str) -> dict[str, Any]:
    """One whose container waits; `kind` says which of its containers."""
    condition = {"type": "PodScheduled", "status": scheduled, "reason": "Unschedulable"}
    container = {"name": "my-api", "state": {"waiting": waiting} if waiting else {"running": {}}}
    return {"status": {"conditions": [condition], kind: [container]}}


NO_SECRET = {"reason": "CreateContainerConfigError", "message": 'secret "a" not found'}


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], []),
        ([{}, pod(), pod(reason="ContainerCreating"), pod(reason="PodInitializing")], []),
        (
            [pod(**NO_SECRET), pod(**NO_SECRET)],
            ['my-api: CreateContainerConfigError: secret "a" not found'],
        ),
        ([pod("initContainerStatuses", reason="ErrImagePull")], ["my-api: ErrImagePull"]),
        ([pod(scheduled="False")], ["Unschedulable"]),
    ],
)
def test_what_keeps_pods_from_being_ready_is_reported_once(pods, said):
    assert list(held_up(pods)) == said
