"""AuthorizationPolicies of Istio: whom a pod's sidecar admits, by the identity of the caller.

A question is about a connection, and some rules are about each request on it (its path, method or
token). Such a rule counts as admitting, and its limit is part of the reason; as refusing, it does
not count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from specs.openings import block_covers
from tools.reach import ports
from tools.reach.edges import Reason
from tools.reach.ports import Ports

# Its policies without a selector are for all namespaces (Istio's default `rootNamespace`).
ROOT_NAMESPACE = "istio-system"
_TRUST_DOMAIN = "cluster.local"
_LIMITS = {False: "if it proves to have", True: "if it proves not to have"}
_DRY_RUN = "istio.io/dry-run"
# Ports of the sidecar itself, which traffic reaches without passing its rules (Istio: Ports used).
_OWN_PORTS = (15020, 15021, 15090)
_EXCLUDED = "traffic.sidecar.istio.io/excludeInboundPorts"


@dataclass(frozen=True)
class Identity:
    """Who a caller proves to be. None means unknown, not that it has none."""

    namespace: str | None
    account: str | None
    block: Mapping[str, Any] | None = None
    proven: bool | None = True


@dataclass(frozen=True)
class _Match:
    """The ports for which a rule stands, and what else must be met: by each request of HTTP."""

    ports: Ports
    http: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def limits(self) -> str:
        return "; ".join((*self.http, *self.others))


@dataclass(frozen=True, eq=False)
class _Rule:
    given: Mapping[str, Any]

    def match(self, caller: Identity, namespace: str) -> Iterator[_Match]:
        """For what it stands, for this caller."""
        conditions = [(each["key"], _condition(each)) for each in self.given.get("when") or ()]
        sources = [each["source"] for each in self.given.get("from") or ()] or [{}]
        operations = [each["operation"] for each in self.given.get("to") or ()] or [{}]
        for source in sources:
            if (who := _source(source, caller, namespace)) is not None:
                limits = [*who, *conditions]
                others = tuple(text for key, text in limits if not key.startswith("request"))
                http = tuple(text for key, text in limits if key.startswith("request"))
                for operation in operations:
                    yield _Match(_ports(operation), (*http, *_requests(operation)), others)

    @property
    def shown(self) -> str:
        """Whom it means, in a few words."""
        sources = [each["source"] for each in self.given.get("from") or ()]
        said = [each for source in sources for each in sorted(source.items())]
        who = [f"{key} {', '.join(values)}" for key, values in said]
        opened = ports.union(
            _ports(each["operation"]) for each in self.given.get("to") or ({"operation": {}},)
        )
        where = "" if opened == ports.ALL_TCP else f" on {opened.shown}"
        return f"{' or '.join(who) or 'everyone'}{where}"


@dataclass(frozen=True, eq=False)
class Authorization:
    """An AuthorizationPolicy."""

    namespace: str
    name: str
    action: str
    labels: Mapping[str, str]
    rules: Sequence[_Rule]
    dry_run: bool

    def matches(self, caller: Identity, opaque: Ports) -> Iterator[_Match]:
        """What stands for the caller, where the sidecar sees no requests on the `opaque` ports.

        There, a rule that is about requests admits nobody, and refuses whole connections (Istio:
        Authorization Policy, "TCP").
        """
        for match in (each for rule in self.rules for each in rule.match(caller, self.namespace)):
            if not match.http:
                yield match
                continue
            yield replace(match, ports=match.ports - opaque)
            if self.action == "DENY":
                yield replace(match, ports=match.ports & opaque, http=())

    def reason(self, text: str, *, allows: bool = True) -> Reason:
        """A reason that names it."""
        return Reason("mesh", f"AuthorizationPolicy {self.namespace}/{self.name}", text, allows)


def read_authorization(policy: Mapping[str, Any]) -> Authorization | None:
    """An AuthorizationPolicy of Istio's API; None for one that is for no sidecar, but a gateway."""
    metadata, spec = policy["metadata"], policy.get("spec") or {}
    if spec.get("targetRef") or spec.get("targetRefs"):
        return None
    return Authorization(
        metadata["namespace"],
        metadata["name"],
        spec.get("action") or "ALLOW",
        (spec.get("selector") or {}).get("matchLabels") or {},
        [_Rule(each or {}) for each in spec.get("rules") or ()],
        (metadata.get("annotations") or {}).get(_DRY_RUN) == "true",
    )


@dataclass(frozen=True, eq=False)
class Guard:
    """The AuthorizationPolicies of a pod's sidecar.

    `bypassed` are the ports that do not pass the sidecar, and `why`; on `opaque` ones, it passes
    on what it does not read as HTTP.
    """

    policies: Sequence[Authorization]
    bypassed: Ports
    why: str
    opaque: Ports

    def admits(self, caller: Identity) -> tuple[Ports, list[tuple[Ports, Reason]]]:
        """The ports on which it admits the caller, and why."""
        acting = [each for each in self.policies if not each.dry_run]
        recording = [each for each in self.policies if each.dry_run]
        admitted, reasons = _judged(acting, caller, self.opaque)
        if acting:
            reasons.append((self.bypassed, Reason("mesh", "", self.why)))
        if recording:
            refused = ports.ALL_TCP - self.bypassed - _judged(recording, caller, self.opaque)[0]
            reasons.append((refused, recording[0].reason(_RECORDS)))
        return admitted | self.bypassed, reasons

    def refusals(self, caller: Identity, asked: Ports) -> Iterator[Reason]:
        """Why it does not admit the caller on the ports."""
        acting = [each for each in self.policies if not each.dry_run]
        for policy in acting:
            if policy.action == "DENY":
                for match in policy.matches(caller, self.opaque):
                    if not match.limits and match.ports & asked:
                        yield policy.reason("refuses it", allows=False)
        for policy in acting:
            if policy.action == "ALLOW":
                whom = " and ".join(rule.shown for rule in policy.rules) or "nobody"
                yield policy.reason(f"admits only {whom}", allows=False)


_OWN = "the sidecar checks no AuthorizationPolicies on this port"
_NO_SIDECAR = "it has no sidecar to enforce AuthorizationPolicies"
_RECORDS = "would refuse it, but only records that (dry run)"


def guard(
    policies: Iterable[Authorization],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    opaque: Ports,
    *,
    sidecar: bool,
) -> Guard | None:
    """Those policies of a pod's namespace and of the mesh that select it; None if none do."""
    selecting = [
        each
        for each in policies
        if each.action in ("ALLOW", "DENY", "CUSTOM") and each.labels.items() <= labels.items()
    ]
    if not selecting:
        return None
    if not sidecar:
        return Guard(selecting, ports.ALL, _NO_SIDECAR, opaque)
    excluded = [each for each in annotations.get(_EXCLUDED, "").split(",") if each.strip()]
    own = ports.union(ports.number(int(each)) for each in (*_OWN_PORTS, *excluded))
    return Guard(selecting, (ports.ALL - ports.ALL_TCP) | own, _OWN, opaque)


def _judged(
    policies: Sequence[Authorization], caller: Identity, opaque: Ports
) -> tuple[Ports, list[tuple[Ports, Reason]]]:
    """The ports of TCP on which policies together admit the caller, and why."""
    reasons: list[tuple[Ports, Reason]] = []
    allowing = any(each.action == "ALLOW" for each in policies)
    admitted = ports.NONE if allowing else ports.ALL_TCP
    refused = ports.NONE
    for policy in policies:
        for match in policy.matches(caller, opaque):
            there, limits = match.ports, match.limits
            if policy.action == "ALLOW":
                admitted |= there
                where = "" if there == ports.ALL_TCP else f" on {there.shown}"
                text = f"admits it{where}{f'; {limits}' if limits else ''}"
                reasons.append((there, policy.reason(text)))
            elif policy.action == "DENY" and not limits:
                refused |= there
            else:
                text = "refuses" if policy.action == "DENY" else "asks another service about"
                reasons.append((there, policy.reason(f"{text} requests: {limits or 'all'}")))
    return admitted - refused, reasons


def _source(
    source: Mapping[str, Any], caller: Identity, namespace: str
) -> list[tuple[str, str]] | None:
    """What must be met to be the source, by the key that asks for it; None for who never is."""
    limits: list[tuple[str, str]] = []
    for key, values in sorted(source.items()):
        met = _met(key, values, caller, namespace)
        if met is False:
            return None
        if met is None:
            text = f"{_LIMITS[key.startswith('not')]} {_words(key)} {', '.join(values)}"
            limits.append((key.removeprefix("not").lower(), text))
    return limits


def _met(key: str, values: Sequence[str], caller: Identity, namespace: str) -> bool | None:
    """Whether the caller meets a key of a source; None if that cannot be known."""
    if key.startswith("not"):
        met = _met(key[3].lower() + key[4:], values, caller, namespace)
        return None if met is None else not met
    if key == "ipBlocks" and caller.block:
        return any(block_covers({"cidr": each}, caller.block) for each in values)
    if key not in ("principals", "namespaces", "serviceAccounts"):
        return None
    if caller.proven is False:
        return False
    if key == "namespaces":
        found = _any(_like(each, caller.namespace, "") for each in values)
    else:
        patterns = values if key == "principals" else [_principal(e, namespace) for e in values]
        start = None if caller.namespace is None else f"{_TRUST_DOMAIN}/ns/{caller.namespace}/sa/"
        known = start and caller.account and f"{start}{caller.account}"
        found = _any(_like(each, known, start or "") for each in patterns)
    return None if found and caller.proven is None else found


def _principal(account: str, namespace: str) -> str:
    """A `serviceAccounts` entry, `NAMESPACE/NAME` or `NAME`, as a principal."""
    place, _, name = account.rpartition("/")
    return f"{_TRUST_DOMAIN}/ns/{place or namespace}/sa/{name}"


def _any(found: Iterable[bool | None]) -> bool | None:
    all_found = [*found]
    return True if True in all_found else None if None in all_found else False


def _like(pattern: str, value: str | None, start: str) -> bool | None:
    """Whether a value is like Istio's pattern; of an unknown one, at most the start is known."""
    if pattern == "*":
        return True
    if value:
        if pattern.endswith("*"):
            return value.startswith(pattern[:-1])
        return value.endswith(pattern[1:]) if pattern.startswith("*") else value == pattern
    if pattern.startswith("*"):
        return None
    fixed = pattern.removesuffix("*")
    if fixed != pattern and start.startswith(fixed):
        return True
    return None if fixed.startswith(start) else False


def _ports(operation: Mapping[str, Any]) -> Ports:
    opened = ports.ALL_TCP
    if listed := operation.get("ports"):
        opened = ports.union(ports.number(int(each)) for each in listed)
    return opened - ports.union(ports.number(int(each)) for each in operation.get("notPorts") or ())


def _requests(operation: Mapping[str, Any]) -> Iterator[str]:
    for key in ("methods", "paths", "hosts"):
        if values := operation.get(key):
            yield f"only {key} {', '.join(values)}"
        if values := operation.get(f"not{key.title()}"):
            yield f"not {key} {', '.join(values)}"


def _condition(given: Mapping[str, Any]) -> str:
    values = [*(given.get("values") or ()), *(f"not {e}" for e in given.get("notValues") or ())]
    return f"only if {given['key']} is {', '.join(values)}"


def _words(key: str) -> str:
    """`notRemoteIpBlocks` as `remote ip blocks`."""
    name = key.removeprefix("not")
    return "".join(f" {each.lower()}" if each.isupper() else each for each in name).strip()
