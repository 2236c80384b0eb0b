"""`sre-platform:adopt`: what is imported, what is removed from an object, and what is reported."""

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from clients.harbor import Harbor
from clients.kubernetes import Object
from components.adoption import refuse_robot
from components.differences import differences
from components.takeover import UnadoptableError, take_out
from tests.conftest import Program
from tests.fake_server import FakeServer, serving
from tests.program import (
    AUTH_BACKEND,
    AUTH_CONFIG,
    AUTH_ROLE,
    CREDENTIAL,
    MEMBER,
    MOUNT,
    POLICY,
    PROJECT,
    RETENTION,
    Made,
)

TEAM, OTHER = "team: team-a\n", "team: team-b\n"
KV = {"type": "kv", "options": {"version": "2"}}
LOGIN = {"type": "kubernetes", "options": None}


@pytest.fixture
def openbao() -> Iterator[FakeServer]:
    """One that has the mount, the login with its configuration, and what the team has there."""
    with serving(None) as fake:
        fake.answers |= {
            "GET /v1/sys/mounts": (200, {"data": {"sre/": KV}}),
            "GET /v1/sys/auth": (200, {"data": {"kubernetes/": LOGIN}}),
            "GET /v1/sys/policies/acl/team-a": (200, {"data": {"policy": ""}}),
            "GET /v1/auth/kubernetes/role/team-a": (200, {"data": {"token_ttl": 1}}),
            "GET /v1/auth/kubernetes/config": (200, {"data": {"issuer": ""}}),
        }
        yield fake


@pytest.fixture
def harbor() -> Iterator[FakeServer]:
    """One that has the team's project, its retention, a member group and a robot."""
    developers = {"entity_type": "g", "entity_name": "team-a-developers", "id": 5}
    robots = [{"name": "robot$team-a+push"}]
    with serving(None) as fake:
        fake.answers |= {
            "GET /api/v2.0/projects/team-a": (
                200,
                {"project_id": 7, "metadata": {"retention_id": "3"}},
            ),
            "GET /api/v2.0/projects/team-a/members": (200, [developers]),
            "GET /api/v2.0/robots": (200, robots),
        }
        yield fake


def imported(made: Made) -> dict[str, str]:
    """Import ids, by the resources' names."""
    return {
        str(resource): resource.registration.request.importId
        for resource in made.resources
        if resource.registration.request.importId
    }


def test_what_openbao_has_is_imported_and_the_rest_is_created(
    program: Program, openbao: FakeServer
) -> None:
    made = program(TEAM, platform=True, adopt=True, openbao={"address": openbao.address})
    assert imported(made) == {
        f"{MOUNT} sre": "sre",
        f"{AUTH_BACKEND} kubernetes": "kubernetes",
        f"{AUTH_CONFIG} kubernetes": "auth/kubernetes/config",
        f"{POLICY} team-a": "team-a",
        f"{AUTH_ROLE} team-a": "auth/kubernetes/role/team-a",
    }
    assert made.one(CREDENTIAL, "team-a/harbor-push")


def test_nothing_is_imported_without_the_setting(program: Program, openbao: FakeServer) -> None:
    made = program(TEAM, platform=True, openbao={"address": openbao.address})
    assert imported(made) == {}
    assert openbao.asked == []


@pytest.mark.parametrize(
    ("list_path", "mounts", "said"),
    [
        (
            "sys/mounts",
            {"sre/": {"type": "kv", "options": {"version": "1"}}},
            "OpenBao has 'kv' at sre/, but this stack needs kv of version 2",
        ),
        (
            "sys/auth",
            {"kubernetes/": {"type": "jwt"}},
            "OpenBao has 'jwt' at kubernetes/, but this stack needs kubernetes",
        ),
    ],
)
def test_another_kind_of_mount_at_our_path_is_refused(
    program: Program, openbao: FakeServer, list_path: str, mounts: Any, said: str
) -> None:
    openbao.answers[f"GET /v1/{list_path}"] = (200, {"data": mounts})
    with pytest.raises(pulumi.RunError, match=said):
        program(OTHER, platform=True, adopt=True, openbao={"address": openbao.address})


def test_a_server_that_refuses_to_list_what_it_has_ends_the_run(
    program: Program, openbao: FakeServer
) -> None:
    openbao.answers["GET /v1/sys/policies/acl/team-b"] = (403, {"errors": ["permission denied"]})
    with pytest.raises(pulumi.RunError, match=r"sre-platform:adopt: .* 403: permission denied"):
        program(OTHER, adopt=True, openbao={"address": openbao.address})


def test_what_harbor_has_is_imported_by_its_numbers(program: Program, harbor: FakeServer) -> None:
    made = program(TEAM, adopt=True, harbor={"url": harbor.address})
    assert imported(made) == {
        f"{PROJECT} team-a": "/projects/7",
        f"{RETENTION} team-a": "/retentions/3",
        f"{MEMBER} team-a/team-a-developers": "/projects/7/members/5",
    }


def test_a_robot_whose_secret_cannot_be_read_is_refused(harbor: FakeServer) -> None:
    client = Harbor(harbor.address, "admin", "password")
    with pytest.raises(UnadoptableError, match=r"robot robot\$team-a\+push exists, .*delete it"):
        refuse_robot(client, "team-a/push")
    refuse_robot(client, "team-a/pull")
    refuse_robot(client, "team-b/push")


def test_without_servers_nothing_is_looked_up(program: Program) -> None:
    made = program(TEAM, platform=True, adopt=True)
    assert imported(made) == {}
    assert made.one("pulumi:providers:kubernetes", "kubernetes").inputs["upsertExistingObjects"]


def test_creating_what_exists_fails_without_the_setting(program: Program) -> None:
    made = program(TEAM)
    provider = made.one("pulumi:providers:kubernetes", "kubernetes")
    assert "upsertExistingObjects" not in provider.inputs


APP_URN = "urn:pulumi:test::sre-platform::sre:platform:App::team-a/shop"
HELD = {APP_URN: {"type": "sre:platform:App", "outputs": {"held": ["VirtualService"]}}}
TEAM_URN = "urn:pulumi:test::sre-platform::sre:platform:Tenant$kubernetes:core/v1:Namespace::team-a"
STATE = {**HELD, TEAM_URN: {"type": "kubernetes:core/v1:Namespace", "outputs": {}}}


def test_ending_a_takeover_while_an_object_is_held_back_is_refused(program: Program) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        program(TEAM, before=STATE)
    assert str(refused.value) == (
        "Pulumi.test.yaml:1:1: sre-platform:adopt: still held back: VirtualService of team-a/shop; "
        "put `sre-platform:adopt: true` back and finish the move (docs/migration.md)"
    )


def test_continuing_it_is_not_refused_nor_is_another_teams(program: Program) -> None:
    assert program(TEAM, before=STATE, adopt=True).resources
    assert program(OTHER, TEAM, before={TEAM_URN: STATE[TEAM_URN]}).resources


def a_deployment() -> Object:
    containers = [
        {"name": "api", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "debug", "image": "debug:v1"},
    ]
    annotations = {"revision": "3", "chart": "x"}
    return {
        "kind": "Deployment",
        "metadata": {"name": "api", "annotations": annotations, "finalizers": ["a", "b"]},
        "spec": {"replicas": 4, "containers": containers},
    }


THEIRS = {
    "f:metadata": {
        "f:annotations": {".": {}, "f:chart": {}},
        "f:finalizers": {".": {}, 'v:"b"': {}},
    },
    "f:spec": {
        "f:replicas": {},
        "f:containers": {
            'k:{"name":"api"}': {
                ".": {},
                "f:name": {},
                "f:env": {
                    ".": {},
                    'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
                    'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}},
                },
            },
            'k:{"name":"debug"}': {".": {}, "f:name": {}, "f:image": {}},
        },
    },
}
OURS = {
    "f:spec": {
        "f:containers": {
            'k:{"name":"api"}': {
                ".": {},
                "f:name": {},
                "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
            },
        }
    },
}


def test_what_only_others_own_is_removed() -> None:
    live = a_deployment()
    take_out(live, THEIRS, OURS)
    assert live["metadata"]["annotations"] == {"revision": "3"}
    assert live["spec"]["containers"] == [{"name": "api", "env": [{"name": "A", "value": "1"}]}]


def test_replicas_and_finalizers_stay_no_matter_who_owns_them() -> None:
    live = a_deployment()
    take_out(live, THEIRS, OURS)
    assert live["spec"]["replicas"] == 4
    assert live["metadata"]["finalizers"] == ["a", "b"]


def test_a_list_that_becomes_empty_is_removed_as_a_whole() -> None:
    live = {"spec": {"env": [{"name": "A"}]}}
    take_out(live, {"f:spec": {"f:env": {".": {}, 'k:{"name":"A"}': {".": {}}}}}, {"f:spec": {}})
    assert live == {"spec": {}}


def test_a_difference_is_a_line_with_the_fields_path_and_both_values() -> None:
    settled = a_deployment()
    settled["spec"]["replicas"] = 2
    settled["spec"]["containers"][1]["image"] = "debug:v2"
    assert differences(a_deployment(), settled) == [
        'spec.containers[debug].image: "debug:v1" -> "debug:v2"',
        "spec.replicas: 4 -> 2",
    ]


def test_labels_and_annotations_that_differ_are_one_line() -> None:
    settled = a_deployment()
    settled["metadata"] = {"name": "api", "labels": {"by": "us"}, "finalizers": ["a", "b"]}
    assert differences(a_deployment(), settled) == [
        'labels and annotations: chart removed "x"; revision removed "3"; by added "us"'
    ]


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("annotations", "kubectl.kubernetes.io/last-applied-configuration"),
        ("annotations", "meta.helm.sh/release-name"),
        ("annotations", "deployment.kubernetes.io/revision"),
        ("annotations", "pulumi.com/skipAwait"),
        ("labels", "helm.toolkit.fluxcd.io/name"),
        ("labels", "kustomize.toolkit.fluxcd.io/namespace"),
        ("labels", "helm.sh/chart"),
        ("labels", "app.kubernetes.io/managed-by"),
        ("labels", "app.kubernetes.io/version"),
    ],
)
def test_who_applied_an_object_is_not_a_change(field: str, key: str) -> None:
    live, settled = a_deployment(), a_deployment()
    live["metadata"].setdefault(field, {})[key] = "theirs"
    assert differences(live, settled) == []
    assert differences(settled, live) == []
    settled["metadata"].setdefault(field, {})[key] = "ours"
    assert differences(live, settled) == []


def test_in_a_pod_template_every_label_counts_because_it_restarts_the_pods() -> None:
    live, settled = a_deployment(), a_deployment()
    live["spec"]["template"] = {"metadata": {"labels": {"helm.sh/chart": "x-1"}}}
    settled["spec"]["template"] = {"metadata": {"labels": {}}}
    assert differences(live, settled) == [
        'spec.template.metadata.labels[helm.sh/chart]: removed "x-1"'
    ]


def test_the_teams_label_counts_only_when_it_is_new_on_a_namespace() -> None:
    bare: Object = {"kind": "Namespace", "metadata": {}}
    labelled: Object = {"kind": "Namespace", "metadata": {"labels": {"sre.io/team": "a"}}}
    assert differences(bare, labelled) == ['labels and annotations: sre.io/team added "a"']
    assert differences({**bare, "kind": "Service"}, {**labelled, "kind": "Service"}) == []
    other: Object = {"kind": "Service", "metadata": {"labels": {"sre.io/team": "b"}}}
    assert differences(other, {**labelled, "kind": "Service"}) != []


def test_values_that_may_be_secret_are_not_shown() -> None:
    live, settled = a_deployment(), a_deployment()
    live["spec"]["containers"][0]["env"][0]["value"] = "hunter2"
    live["spec"]["containers"][1] |= {"env": [{"name": "P", "value": "hunter2"}]}
    live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "hunter2"
    del settled["spec"]["containers"][1]
    told = differences(live, settled)
    assert len(told) == 2
    assert "hunter2" not in " ".join(told)
    secret = {"kind": "Secret", "metadata": {}, "data": {"key": "aHVudGVyMg=="}}
    assert differences(secret, {**secret, "data": {}}) == ["data.key: removed (not shown)"]


def test_a_new_first_entry_of_a_list_without_names_is_the_only_one_reported() -> None:
    live: Object = {"kind": "NetworkPolicy", "metadata": {}, "spec": {"egress": [{"to": ["b"]}]}}
    settled = {**live, "spec": {"egress": [{"to": ["a"]}, {"to": ["b"]}]}}
    assert differences(live, settled) == ['spec.egress[]: added {"to": ["a"]}']


def test_null_on_one_side_and_missing_on_the_other_is_not_a_difference() -> None:
    live: Object = {"kind": "Service", "metadata": {"labels": None}, "spec": {"a": None}}
    assert differences(live, {"kind": "Service", "metadata": {}, "spec": {}}) == []
