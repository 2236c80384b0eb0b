"""Sets of ports: ranges of numbers by protocol."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from specs.network import LAST_PORT
from specs.openings import port_range, protocol

PROTOCOLS = ("TCP", "UDP", "SCTP")

Range = tuple[int, int]


@dataclass(frozen=True)
class Ports:
    """Numbers by protocol, as disjoint ranges in order; and names that only the target knows."""

    ranges: tuple[tuple[str, Range], ...] = ()
    names: frozenset[tuple[str, str]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.ranges or self.names)

    def __or__(self, other: "Ports") -> "Ports":
        if self == other or not other:
            return self
        names = self.names | other.names
        return Ports(_merged([*self.ranges, *other.ranges]), names)

    def __and__(self, other: "Ports") -> "Ports":
        if self in (ALL, other):
            return other
        if other == ALL:
            return self
        both = [
            (one, (max(low, first), min(high, last)))
            for one, (low, high) in self.ranges
            for two, (first, last) in other.ranges
            if one == two and low <= last and first <= high
        ]
        return Ports(_merged(both), _held(self, other) | _held(other, self))

    def __sub__(self, other: "Ports") -> "Ports":
        return self & _without(other)

    def groups(self) -> list["Ports"]:
        """Each range by itself; protocols that are open as a whole together."""
        whole = [each for each in self.ranges if each[1] == _EVERY]
        apart = [Ports((each,)) for each in self.ranges if each[1] != _EVERY]
        named = [Ports(names=frozenset({name})) for name in sorted(self.names)]
        return [*([Ports(tuple(whole))] if whole else []), *apart, *named]

    @property
    def shown(self) -> str:
        """`8080/TCP`, `400-500/UDP`, `all TCP ports`, `all ports`."""
        if self == ALL:
            return "all ports"
        whole = " and ".join(name for name, numbers in self.ranges if numbers == _EVERY)
        parts = [f"all {whole} ports"] if whole else []
        parts += [
            f"{first}{f'-{last}' if last != first else ''}/{name}"
            for name, (first, last) in self.ranges
            if (first, last) != _EVERY
        ]
        parts += [f"{port}/{name}" for name, port in sorted(self.names)]
        return ", ".join(parts) or "no ports"


_EVERY = (1, LAST_PORT)
NONE = Ports()
ALL = Ports(tuple((name, _EVERY) for name in PROTOCOLS))
ALL_TCP = Ports((("TCP", _EVERY),))


def number(port: int, name: str = "TCP") -> Ports:
    """One port."""
    return Ports(((name, (port, port)),))


def of(port: Mapping[str, Any] | None) -> Ports:
    """What a NetworkPolicy's port means; None is every port."""
    if port is None:
        return ALL
    if isinstance(named := port.get("port"), str):
        return Ports(names=frozenset({(protocol(port), named)}))
    return Ports(((protocol(port), port_range(port)),))


def union(many: Iterable[Ports]) -> Ports:
    """All of them together."""
    found = NONE
    for each in many:
        found = each if not found else found | each
    return found


def _held(named: Ports, other: Ports) -> frozenset[tuple[str, str]]:
    """The names in both, or whose protocol the other has as a whole."""
    whole = {name for name, numbers in other.ranges if numbers == _EVERY}
    return frozenset(each for each in named.names if each in other.names or each[0] in whole)


def _without(ports: Ports) -> Ports:
    left = []
    for name in PROTOCOLS:
        first = 1
        for _, (low, high) in (each for each in ports.ranges if each[0] == name):
            left.append((name, (first, low - 1)))
            first = high + 1
        left.append((name, (first, LAST_PORT)))
    return Ports(_merged([each for each in left if each[1][0] <= each[1][1]]))


def _merged(ranges: Iterable[tuple[str, Range]]) -> tuple[tuple[str, Range], ...]:
    found: list[tuple[str, Range]] = []
    for name, (low, high) in sorted(ranges, key=_place):
        if found and found[-1][0] == name and low <= found[-1][1][1] + 1:
            found[-1] = (name, (found[-1][1][0], max(high, found[-1][1][1])))
        else:
            found.append((name, (low, high)))
    return tuple(found)


def _place(each: tuple[str, Range]) -> tuple[int, Range]:
    return PROTOCOLS.index(each[0]), each[1]
