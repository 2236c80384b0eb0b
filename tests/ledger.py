"""What a team's apps use, counted in a second way: from the file's plain data, pod by pod.

As the quota controller does it: each new pod is added to what is used, and refused where that is
over the hard amount. Amounts are exact: cores, bytes, or numbers of objects.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from math import ceil, inf
from typing import Any

RESOURCES = (
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
    "pods",
    "services",
    "persistentvolumeclaims",
    "requests.storage",
)
KINDS = [("requests", "cpu"), ("requests", "memory"), ("limits", "cpu"), ("limits", "memory")]

Taken = Mapping[str, Fraction]

# How often a schedule occurs, in seconds.
PERIODS = {
    "*/5 * * * *": 300,
    "0 * * * *": 3600,
    "0 2 * * *": 86400,
    "@every 90s": 90,
}

_SCALES = {
    **{unit + "i": Fraction(2 ** (10 * power)) for power, unit in enumerate("KMGT", 1)},
    **{unit: Fraction(10 ** (3 * power)) for power, unit in enumerate("kMGT", 1)},
    "m": Fraction("0.001"),
    "u": Fraction("0.000001"),
}
_DEFAULTS = {
    "requests": ("defaultRequest", {"cpu": "100m", "memory": "128Mi"}),
    "limits": ("default", {"cpu": "500m", "memory": "512Mi"}),
}
_ISTIO = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
_QUOTA: dict[str, Any] = {
    "requests": {"cpu": "4", "memory": "8Gi", "storage": None},
    "limits": {"cpu": "8", "memory": "16Gi"},
    "pods": 20,
    "services": 10,
    "persistentvolumeclaims": 10,
}


def value(written: str | float) -> Fraction:
    """Of a quantity in any form: `0.5Gi`, `1e3`, `100m`."""
    text = str(written)
    for unit, scale in _SCALES.items():
        if text.endswith(unit):
            return Fraction(text.removesuffix(unit)) * scale
    return Fraction(text)


@dataclass(frozen=True)
class App:
    """An entry of `apps`: what its container and pod use, and how many pods exist when.

    `beside` is how many it starts while all others rest: a rollout's surge, or a cronjob's run.
    """

    own: Taken
    pod: Taken
    services: int
    volumes: tuple[Fraction, ...]
    rest: int
    surge: int
    beside: int
    full: int

    def most(self, resource: str) -> Fraction:
        """How much of a resource it uses while it rolls out, or runs."""
        pods = repeat(self.pod, self.rest + self.beside)
        return added([*pods, {"services": Fraction(self.services)}, *self.claims()])[resource]

    def claims(self) -> Iterator[Taken]:
        """What each of its volumes takes."""
        for size in self.volumes:
            yield {"persistentvolumeclaims": Fraction(1), "requests.storage": size}


class Ledger:
    """The pods and Services of a team's file, in a stack with this `istio.proxy`."""

    def __init__(self, file: Mapping[str, Any], proxy: Mapping[str, Any] | None) -> None:
        self._file = file
        self._proxy = {key: {**own, **(proxy or {}).get(key, {})} for key, own in _ISTIO.items()}
        made = () if file.get("lifecycle") == "offboarding" else file["apps"]
        self.apps = [self._app(entry) for entry in made]

    def quota(self, resource: str) -> Fraction | float:
        """The file's quota for it; null is no limit."""
        given = self._file.get("quota", {})
        kind, _, name = resource.partition(".")
        bound = (
            given.get(kind, {}).get(name, _QUOTA[kind][name])
            if name
            else given.get(kind, _QUOTA[kind])
        )
        return inf if bound is None else value(bound)

    def rest(self) -> Taken:
        """What is used at rest."""
        return added(self._objects())

    def rollout(self) -> Taken:
        """The most that the rollout of any one app uses."""
        return self._most([(app, app.surge) for app in self.apps])

    def needed(self) -> Taken:
        """The most that the rollout or run of any one app uses."""
        return self._most([(app, app.beside) for app in self.apps])

    def full(self) -> Taken:
        """What is used at full scale."""
        return added(self._objects({index: app.full for index, app in enumerate(self.apps)}))

    def full_scale_fits(self) -> bool:
        """Whether all pods are admitted."""
        return all(amount <= self.quota(key) for key, amount in self.full().items())

    def fitting(self, index: int, others: Mapping[int, int]) -> int:
        """How many pods of an app are admitted if the others have these numbers, or are at rest."""
        used = dict(added(self._objects({**others, index: 0})))
        app = self.apps[index]
        pods = 0
        while pods < app.full and self._lets_in(used, app.pod):
            used = {key: used[key] + app.pod[key] for key in RESOURCES}
            pods += 1
        return pods

    def _lets_in(self, used: Taken, pod: Taken) -> bool:
        """The controller checks only what the new pod uses."""
        return all(used[key] + pod[key] <= self.quota(key) for key in RESOURCES if pod[key])

    def _most(self, starting: Iterable[tuple[App, int]]) -> Taken:
        sums = [added([*self._objects(), *repeat(app.pod, pods)]) for app, pods in starting] or [
            self.rest()
        ]
        return {key: max(one[key] for one in sums) for key in RESOURCES}

    def _objects(self, pods: Mapping[int, int] | None = None) -> Iterator[Taken]:
        """One by one: this many pods of each app, or the number at rest."""
        for index, app in enumerate(self.apps):
            yield from repeat(app.pod, (pods or {}).get(index, app.rest))
            yield from repeat({"services": Fraction(1)}, app.services)
            yield from app.claims()

    def _app(self, entry: Mapping[str, Any]) -> App:
        rest, surge, beside, full = (
            _pods(entry) if self._file.get("lifecycle", "active") == "active" else (0, 0, 0, 0)
        )
        monitored = entry.get("serviceMonitor", {}).get("enabled", entry["archetype"] == "worker")
        services = 1 if entry["archetype"] == "web-app" or monitored else 0
        own = self._container(entry)
        sidecar = {f"{kind}.{name}": value(self._proxy[kind][name]) for kind, name in KINDS}
        pod = added([own, sidecar, {"pods": Fraction(1)}])
        volumes = tuple(value(volume["size"]) for volume in entry["app"].get("volumes", ()))
        return App(own, pod, services, volumes, rest, surge, beside, full)

    def _container(self, entry: Mapping[str, Any]) -> Taken:
        taken = {}
        for kind, name in KINDS:
            key, default = _DEFAULTS[kind]
            written = {**default, **self._file.get("limitRange", {}).get(key, {})}
            written |= entry["app"].get("resources", {}).get(kind, {})
            taken[f"{kind}.{name}"] = value(written[name])
        return taken


def added(takes: Iterable[Taken]) -> Taken:
    """The sum."""
    used = dict.fromkeys(RESOURCES, Fraction(0))
    for take in takes:
        for key, amount in take.items():
            used[key] += amount
    return used


def autoscaling(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Of a web-app or worker, with the defaults of what its entry leaves out."""
    default = {"minReplicas": 2, "maxReplicas": 10, "enabled": entry["archetype"] == "web-app"}
    return default | entry.get("autoscaling", {})


def _rolls_out(strategy: Mapping[str, Any], pods: int) -> int:
    """How many pods may start before the first old one has ended."""
    if strategy.get("type") == "Recreate":
        return 0
    surge = strategy.get("maxSurge", "25%")
    return surge if isinstance(surge, int) else ceil(Fraction(surge.rstrip("%")) / 100 * pods)


def _pods(entry: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """At rest, a rollout's surge, what starts beside all others, and at full scale."""
    if entry["archetype"] == "cronjob":
        schedule = entry["schedule"]
        if schedule.get("suspend"):
            return 0, 0, 0, 0
        runs = 1
        pods = schedule.get("parallelism", 1)
        if "completions" in schedule:
            pods = min(pods, schedule["completions"])
        if schedule.get("concurrencyPolicy") == "Allow":
            period, lasts = PERIODS[schedule["cron"]], schedule.get("activeDeadlineSeconds", 3600)
            now = period * lasts  # long after the first
            runs = sum(begun + lasts > now for begun in range(now, now - lasts - period, -period))
        return 0, 0, pods, runs * pods
    scaling = autoscaling(entry)
    rest = scaling["minReplicas"] if scaling["enabled"] else entry["app"].get("replicas", 2)
    surge = min(rest, _rolls_out(entry.get("strategy", {}), rest))
    return rest, surge, surge, scaling["maxReplicas"] if scaling["enabled"] else rest
