"""What is true of everything that the program registers: names, types, protection, order."""

from collections import Counter

from tests.program import (
    ADMISSION_BINDING,
    ADMISSION_POLICY,
    APP,
    AUTH_BACKEND,
    AUTH_CONFIG,
    AUTH_ROLE,
    CLAIM,
    CREDENTIAL,
    GROUP,
    GROUP_ALIAS,
    MEMBER,
    MOUNT,
    NAMESPACE,
    PLATFORM,
    POLICY,
    PROJECT,
    RETENTION,
    ROBOT,
    SECRET_STORE,
    TENANT,
    Made,
    Resource,
)

CLUSTER_SCOPED = {NAMESPACE, SECRET_STORE, ADMISSION_POLICY, ADMISSION_BINDING}

# The input that names an object of Harbor or OpenBao; some are named by what they belong to.
NAMED_BY = {
    PROJECT: "name",
    RETENTION: "scope",
    ROBOT: "name",
    MEMBER: "groupName",
    MOUNT: "path",
    AUTH_BACKEND: "path",
    AUTH_CONFIG: "backend",
    AUTH_ROLE: "roleName",
    POLICY: "name",
    GROUP: "name",
    GROUP_ALIAS: "name",
    CREDENTIAL: "name",
}

# What holds data, and what Harbor would delete before it refuses to delete a project.
PROTECTED = {NAMESPACE, CLAIM, PROJECT, RETENTION, ROBOT, CREDENTIAL, MOUNT, AUTH_BACKEND}


def test_every_kubernetes_object_has_an_explicit_name_and_place(everything: Made) -> None:
    for one in everything.of_package("kubernetes"):
        assert one.metadata["name"], one
        assert "generateName" not in one.metadata, one
        if one.type not in CLUSTER_SCOPED:
            assert one.name == f"{one.metadata['namespace']}/{one.metadata['name']}"
        else:
            # A team's own are named as all of the team's: by its name and their own.
            assert one.name.removeprefix(f"{_owner(one)}/") == one.metadata["name"]
            assert "namespace" not in one.metadata


def test_every_harbor_and_openbao_object_has_an_explicit_name(everything: Made) -> None:
    for one in everything.of_package("harbor", "vault"):
        assert one.inputs[NAMED_BY[one.type]], one


def test_every_kubernetes_object_is_labelled_as_the_platform_s_and_its_team_s(
    everything: Made,
) -> None:
    for one in everything.of_package("kubernetes"):
        assert one.labels["app.kubernetes.io/managed-by"] == "pulumi", one
        assert one.labels["app.kubernetes.io/part-of"] == "sre-platform", one
        assert one.labels["app.kubernetes.io/name"], one
        if one.parent != f"{PLATFORM} platform":
            assert one.labels["sre.io/team"] == _owner(one), one


def _owner(one: Resource) -> str:
    """The team of the component that it is a child of; the platform's is called `platform`."""
    return one.parent.partition(" ")[2].partition("/")[0]


def test_the_components_types_and_names_never_change(everything: Made) -> None:
    # They are part of every resource's identity: another one replaces the whole team.
    components = {one.type for one in everything.of_package("sre")}
    assert components == {"sre:platform:Platform", "sre:platform:Tenant", "sre:platform:App"}
    assert everything.names(PLATFORM) == ["platform"]
    assert {"team-alpha", "team-beta", "team-gamma"} <= {*everything.names(TENANT)}
    assert "team-alpha/my-api" in everything.names(APP)


def test_no_two_resources_share_type_and_name(everything: Made) -> None:
    twice = [one for one, count in Counter(map(str, everything.resources)).items() if count > 1]
    assert twice == []


def test_what_holds_data_is_protected_and_nothing_else(everything: Made) -> None:
    protected = {one.type for one in everything.resources if one.protect}
    unprotected = {
        one.type for one in everything.resources if not one.protect and not _deletable(one)
    }
    assert protected == PROTECTED
    assert not protected & unprotected


def _deletable(one: Resource) -> bool:
    """A volume of which the team's file says so."""
    return one.type == CLAIM and one.metadata["annotations"]["sre.io/on-removal"] == "delete"


def test_everything_is_a_child_of_a_component_of_its_own_team(everything: Made) -> None:
    for one in everything.of_package("kubernetes", "harbor", "vault"):
        kind, _, name = one.parent.partition(" ")
        assert kind in {PLATFORM, TENANT, APP}, one
        if kind != PLATFORM:
            team = one.name.partition("/")[0]
            assert name.partition("/")[0] == team, one


def test_what_is_in_a_namespace_waits_for_it_and_is_deleted_with_it(everything: Made) -> None:
    for one in everything.of_package("kubernetes"):
        if one.type not in CLUSTER_SCOPED:
            namespace = f"{NAMESPACE} {one.metadata['namespace']}"
            assert namespace in one.depends_on, one
            assert one.deleted_with == namespace


def test_nothing_else_is_deleted_with_another_resource(everything: Made) -> None:
    for one in everything.resources:
        if one.package != "kubernetes" or one.type in CLUSTER_SCOPED:
            assert one.deleted_with == "", one


def test_no_change_is_ignored_except_two(everything: Made) -> None:
    """An imported mount is "kv" of version 2 where a made one is "kv-v2"; volumes have data."""
    ignoring = {
        str(one): list(one.registration.request.ignoreChanges)
        for one in everything.resources
        if one.registration.request.ignoreChanges
    }
    assert ignoring == {
        f"{MOUNT} sre": ["type", "options"],
        **{
            str(one): ["spec.accessModes", "spec.storageClassName"] for one in everything.all(CLAIM)
        },
    }
