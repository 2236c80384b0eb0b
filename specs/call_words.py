"""Network rules that mean no more than `calls` or `callers` would, and how to write those."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from specs.app import BaseApp, WebApp
from specs.calls import Call, Caller
from specs.labels import INSTANCE, NAME, TEAM_LABEL
from specs.network import (
    NAMESPACE_NAME,
    EgressRule,
    IngressRule,
    LabelSelector,
    NetworkPolicyPeer,
    NetworkPolicyPort,
)
from specs.readers import flow
from specs.settings import PlatformService

# An app by its team and name; None if there is none.
AppOf = Callable[[str, str], BaseApp | None]


def calls_of(
    rule: EgressRule, team: str, app_of: AppOf, services: Mapping[str, PlatformService]
) -> tuple[Call, ...]:
    """The calls that open exactly what a rule of the team's app opens; () if none do."""
    for name, service in services.items():
        if _is_service(rule, service):
            return (Call(platform=name),)
    found = [_call(peer, port, team, app_of) for peer, port in product(rule.to, rule.ports)]
    calls = [call for call in found if call]
    return tuple(dict.fromkeys(calls)) if len(calls) == len(found) else ()


def callers_of(rule: IngressRule, team: str, app: BaseApp, app_of: AppOf) -> tuple[Caller, ...]:
    """The callers to which a rule of the team's app opens exactly `app.port`; () if none do."""
    if not isinstance(app, WebApp) or not rule.ports:
        return ()
    if not all(_opens(port, app) for port in rule.ports):
        return ()
    found = [_named(peer, team) for peer in rule.from_]
    named = [(other, name) for other, name in filter(None, found) if app_of(other, name)]
    # An app of the same team is let in by its own `calls`.
    if len(named) < len(found) or any(other == team for other, _ in named):
        return ()
    return tuple(Caller(team=other, app=name) for other, name in dict.fromkeys(named))


def written(key: str, words: Sequence[Call | Caller]) -> str:
    """`calls: [{team: team-beta, app: ledger}]`, as a team's file has it."""
    listed = (flow(each.model_dump(by_alias=True)) for each in words)
    return f"{key}: [{', '.join(listed)}]"


def _call(
    peer: NetworkPolicyPeer, port: NetworkPolicyPort, team: str, app_of: AppOf
) -> Call | None:
    block = peer.ip_block
    if block:
        plain = not block.except_ and peer.namespace_selector is peer.pod_selector is None
        number = _number(port)
        return Call(cidr=block.cidr, port=number) if plain and number else None
    other, name = _named(peer, team) or ("", "")
    callee = app_of(other, name) if name else None
    if not isinstance(callee, WebApp) or not _opens(port, callee):
        return None
    return Call(team=None if other == team else other, app=name)


def _is_service(rule: EgressRule, service: PlatformService) -> bool:
    """Whether the rule opens all of a platform service, and nothing else."""
    if not rule.to or {_number(port) for port in rule.ports} != set(service.ports):
        return False
    if service.namespace:
        pods = service.pod_labels or {}
        return all(
            peer.ip_block is None
            and _asked(peer.namespace_selector) == {NAMESPACE_NAME: service.namespace}
            and _asked(peer.pod_selector or LabelSelector()) == pods
            for peer in rule.to
        )
    blocks = [peer.ip_block for peer in rule.to if peer.ip_block and not peer.ip_block.except_]
    addresses = {block.cidr for block in blocks}
    return len(blocks) == len(rule.to) and addresses == set(service.cidrs)


def _named(peer: NetworkPolicyPeer, team: str) -> tuple[str, str] | None:
    """Team and name of the one app that a peer selects; without namespaces, of that team."""
    spaces, pods = _asked(peer.namespace_selector), _asked(peer.pod_selector)
    if peer.namespace_selector is None:
        spaces = {NAMESPACE_NAME: team}
    if peer.ip_block or not spaces or not pods or NAMESPACE_NAME not in spaces:
        return None
    other = spaces[NAMESPACE_NAME]
    names = {pods[key] for key in (NAME, INSTANCE) if key in pods}
    # A team's namespace and pods have its label, so asking for it changes nothing.
    asked = {**spaces, **pods}.keys() - {NAMESPACE_NAME, NAME, INSTANCE}
    teams = {each[TEAM_LABEL] for each in (spaces, pods) if TEAM_LABEL in each}
    if len(names) != 1 or asked - {TEAM_LABEL} or teams - {other}:
        return None
    return other, names.pop()


def _asked(selector: LabelSelector | None) -> dict[str, str] | None:
    """The labels that a selector requires; None if it requires anything else."""
    if selector is None:
        return None
    asked = dict(selector.match_labels)
    for each in selector.match_expressions:
        if each.operator != "In" or len(set(each.values)) != 1:
            return None
        if asked.setdefault(each.key, each.values[0]) != each.values[0]:
            return None
    return asked


def _opens(port: NetworkPolicyPort, app: WebApp) -> bool:
    """Whether a rule's port is the app's main one, by its number or its name."""
    is_named = isinstance(port.port, str) and port.protocol == "TCP"
    number = app.ports.get(str(port.port)) if is_named else _number(port)
    return number == app.app.port


def _number(port: NetworkPolicyPort) -> int | None:
    """The one TCP port that it opens, by its number."""
    is_one = isinstance(port.port, int) and port.end_port in (None, port.port)
    return port.port if is_one and port.protocol == "TCP" else None  # type: ignore[return-value]
