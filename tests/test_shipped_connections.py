"""Connections of the shipped teams: both ends agree, and what was tried is what is answered."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dryrun.recording import record_stack
from specs.settings import PREFIX
from tests.conftest import Program
from tests.connections import (
    CALLING,
    Connection,
    among_peers,
    answered,
    each_connection,
    each_declared,
    each_labelled,
)
from tests.program import NETWORK_POLICY, ROOT
from tests.written import KEYS_STACK, dev_settings
from tools.reach.world import World, world

Rule = Mapping[str, Any]


class Pods(NamedTuple):
    """An app's pods, and the rules of its own NetworkPolicy."""

    team: str
    labels: Mapping[str, str]
    ingress: list[Rule]
    egress: list[Rule]

    @property
    def name(self) -> str:
        return f"{self.team}/{self.labels['app.kubernetes.io/name']}"


@pytest.fixture(scope="module")
def apps(program: Program) -> list[Pods]:
    made = program(
        *(file.read_text() for file in sorted((ROOT / "tenants").glob("*.yaml"))),
        namespace=dev_settings().namespace.model_dump(mode="json", by_alias=True),
    )
    return [
        Pods(
            policy.metadata["namespace"],
            policy.spec["podSelector"]["matchLabels"],
            policy.spec.get("ingress", []),
            policy.spec["egress"],
        )
        for policy in made.all(NETWORK_POLICY)
        if policy.spec["podSelector"]
    ]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = [(key, [value]) for key, value in selector.get("matchLabels", {}).items()]
    for each in selector.get("matchExpressions", []):
        assert each["operator"] == "In", "teach this test the other operators"
        wanted.append((each["key"], each["values"]))
    return all(labels.get(key) in values for key, values in wanted)


def is_peer(peer: Mapping[str, Any], pods: Pods) -> bool:
    """Whether a peer that names namespaces means these pods."""
    namespace = {"kubernetes.io/metadata.name": pods.team, "sre.io/team": pods.team}
    return (
        "namespaceSelector" in peer
        and selects(peer["namespaceSelector"], namespace)
        and selects(peer.get("podSelector", {}), pods.labels)
    )


def opened(rules: list[Rule], key: str, other: Pods) -> set[tuple[str, int]]:
    """Ports that the rules open to or from the other's pods."""
    return {
        (port["protocol"], port["port"])
        for rule in rules
        if any(is_peer(peer, other) for peer in rule.get(key, []))
        for port in rule["ports"]
    }


def connections(apps: list[Pods], outwards: bool) -> Iterator[tuple[str, str, str, int]]:
    """Caller, called, protocol and port of what the callers, or the called, open across teams."""
    for caller in apps:
        for called in apps:
            if caller.team != called.team:
                ports = (
                    opened(caller.egress, "to", called)
                    if outwards
                    else opened(called.ingress, "from", caller)
                )
                yield from ((caller.name, called.name, *port) for port in ports)


def test_what_a_team_lets_out_to_another_is_let_in(apps: list[Pods]) -> None:
    let_out = set(connections(apps, outwards=True))
    assert let_out
    assert let_out - set(connections(apps, outwards=False)) == set()


def test_what_a_team_lets_in_from_another_some_app_there_is_let_out_for(apps: list[Pods]) -> None:
    # A rule may let a whole namespace in, of which one app calls.
    reached = {called[1:] for called in connections(apps, outwards=True)}
    let_in = {called[1:] for called in connections(apps, outwards=False)}
    assert (
        let_in
        == reached
        == {
            ("team-alpha/frontend", "TCP", 3000),
            ("team-beta/order-processor", "TCP", 9090),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped teams, and those that call each other."""
    folder = tmp_path_factory.mktemp("tenants")
    for file in (*(ROOT / "tenants").glob("*.yaml"), *CALLING):
        shutil.copy(file, folder)
    return folder


def as_made(folder: Path, **more: Mapping[str, Any]) -> World:
    """The teams as stack `dev` makes them; `more` adds to its settings."""
    stack = {name: {**value, **more.get(name, {})} for name, value in KEYS_STACK.items()}
    changes = {PREFIX + name: value for name, value in stack.items()}
    made = record_stack(ROOT, "dev", folder, changes).registrations
    objects = [each.inputs for each in made if "kind" in each.inputs]
    # Packets have no identities.
    packets = [each for each in objects if each["kind"] != "AuthorizationPolicy"]
    return world(among_peers(packets))


@pytest.fixture(scope="module")
def shipped(folder: Path) -> World:
    return as_made(folder)


@pytest.fixture(scope="module")
def declared(folder: Path) -> World:
    return as_made(folder, network={"httpsEgress": "declared"})


@pytest.fixture(scope="module")
def labelled(folder: Path) -> World:
    return as_made(folder, istio={"gatewayPodLabels": {"istio": "gateway"}})


@each_connection
def test_a_connection_that_was_tried_goes_as_it_is_answered(
    shipped: World, connection: Connection
) -> None:
    assert answered(shipped, connection) == connection.seen


@each_declared
def test_a_connection_goes_as_it_is_answered_where_port_443_is_declared(
    declared: World, connection: Connection
) -> None:
    assert answered(declared, connection) == connection.seen


@each_labelled
def test_a_connection_goes_as_it_is_answered_where_gateways_have_labels(
    labelled: World, connection: Connection
) -> None:
    assert answered(labelled, connection) == connection.seen
