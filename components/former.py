"""Apps that already run under names of a Helm release, and their objects.

The platform's charts name an app's objects `<release>-<app.name>`, this program `app.name`, so they
cannot be taken over. The app's own objects are created beside them, and objects that must not exist
twice are held back. Nothing here changes a release's objects; people do, with the commands that
`components/handover.py` shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

from clients.kubernetes import Cluster, Object
from components.former_routes import FormerRoute, former_routes, names_service
from components.metadata import INSTANCE, NAME, app_selector
from components.routing import destination
from specs.app import METRICS_SUFFIX, AnyApp, CronJob, WebApp
from specs.ingress import ALL
from specs.names import chart_name
from specs.settings import Settings
from specs.shared_hosts import gateway, is_below, sharers
from specs.team import Team

# Kinds that the charts create under such names; ExternalSecrets have the secret's name, as here.
_VERSIONS = {
    "CronJob": "batch/v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "VirtualService": "networking.istio.io/v1",
}
_AT_A_TIME = 8  # requests
_RELEASE = "meta.helm.sh/release-name"

Live = Mapping[str, Sequence[Object]]  # in a namespace, by kind


def release_of(object: Object) -> str | None:
    """The release that created it, according to Helm's annotation or the charts' label."""
    metadata = object["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    release: str | None = annotations.get(_RELEASE) or labels.get(INSTANCE)
    return release


@dataclass(frozen=True)
class Former:
    """How an app ran before this program.

    `objects` are a release's. `routes` are VirtualServices of any name for the app's host at its
    gateway. `own` are the existing objects with the app's own names. `sharers` are other apps of
    the team with one of its hosts at its gateway.
    """

    team: Team
    app: AnyApp
    objects: tuple[Object, ...]
    routes: tuple[Object, ...]
    own: tuple[Object, ...]
    sharers: tuple[WebApp, ...] = ()

    @property
    def held(self) -> frozenset[str]:
        """Kinds of the app's own objects that must wait.

        Two autoscalers: Kubernetes lets neither act on pods that both count (AmbiguousSelector),
        and one for pods without traffic would remove them. Two budgets: a pod with both cannot be
        evicted. Two monitors of the same Services: every pod is scraped twice. Two schedules: the
        task runs twice. Two routes for one host: Istio chooses which one applies.
        """
        app = self.app
        held = set()
        if isinstance(app, CronJob):
            if not all(each["spec"].get("suspend") for each in self.of("CronJob")):
                held.add("CronJob")
        else:
            if app.autoscaling.enabled and self.of("HorizontalPodAutoscaler"):
                held.add("HorizontalPodAutoscaler")
            if app.pod_disruption_budget.enabled and self._shares("PodDisruptionBudget"):
                held.add("PodDisruptionBudget")
        if app.monitored and self._shares("ServiceMonitor"):
            held.add("ServiceMonitor")
        if not all(map(self.leads_here, self.routes)):
            held.add("VirtualService")
        return frozenset(held)

    @property
    def everything(self) -> list[Object]:
        """The objects and the routes, each once."""
        return [*self.objects, *(route for route in self.routes if route not in self.objects)]

    def of(self, kind: str) -> list[Object]:
        """The release's objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def mine(self, kind: str) -> Object | None:
        """The app's own object of a kind; for Services, the one that takes traffic."""
        named = (each for each in self.own if each["metadata"]["name"] == self.app.name)
        return next((each for each in named if each["kind"] == kind), None)

    @property
    def services(self) -> list[Object]:
        """The release's Services that others may call."""
        return [
            each
            for each in self.of("Service")
            if not each["metadata"]["name"].endswith(METRICS_SUFFIX)
        ]

    @property
    def pods(self) -> int:
        """How many pods the app's own Deployment must have before traffic moves to it."""
        if not self.team.running or isinstance(self.app, CronJob):
            return 0
        scaling = self.app.autoscaling
        if not scaling.enabled:
            return self.app.app.replicas
        return max(scaling.min_replicas, *(d["spec"]["replicas"] for d in self.of("Deployment")), 0)

    def _shares(self, kind: str) -> bool:
        """Whether one of the release's selectors matches the labels of the app's own objects."""
        own = app_selector(self.app)
        return any(each["spec"]["selector"].get("matchLabels") == own for each in self.of(kind))

    def destinations(self, route: Object) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where a VirtualService routes the app's own paths, by JSON pointer."""
        for part in self._parts(route):
            if part.owner is self.app:
                yield from part.destinations()

    def leads_here(self, route: Object) -> bool:
        """Whether a VirtualService routes all of the app's paths to its own Service.

        And paths below these to the apps that serve them: the app's own VirtualService does so too.
        """
        assert isinstance(self.app, WebApp)
        own = [path.prefix for path in self.app.ingress.every_path if path.prefix != ALL]
        return all(
            part.leads_there(self.team)
            for part in self._parts(route)
            if part.owner is self.app or any(is_below(part.path, prefix) for prefix in own)
        )

    def others(self, route: Object) -> list[str]:
        """Apps whose paths a VirtualService does not route to their own Services."""
        parts = (part for part in self._parts(route) if part.owner is not self.app)
        return sorted({part.owner.name for part in parts if not part.leads_there(self.team)})

    def _parts(self, route: Object) -> Iterator[FormerRoute]:
        if isinstance(self.app, WebApp):
            yield from former_routes(route, (self.app, *self.sharers))

    @property
    def destination(self) -> dict[str, Any]:
        """The app's own Service, as a VirtualService's destination."""
        assert isinstance(self.app, WebApp)
        return destination(self.team, self.app)

    def counterpart(self, wanted: Object) -> Object | None:
        """The former object that `wanted` replaces, with the names in `wanted`."""
        kind, suffixed = wanted["kind"], wanted["metadata"]["name"].endswith(METRICS_SUFFIX)
        for each in self.routes if kind == "VirtualService" else self.of(kind):
            name = each["metadata"]["name"]
            if kind == "Service" and name.endswith(METRICS_SUFFIX) != suffixed:
                continue
            renamed: Object = self._renamed(
                each, name.removesuffix(METRICS_SUFFIX), release_of(each)
            )
            if kind == "VirtualService":
                self._in_our_words(renamed)
            return renamed
        return None

    def _in_our_words(self, route: Object) -> None:
        """Equivalent values, written as this program writes them."""
        assert isinstance(self.app, WebApp)
        for _, to in self.destinations(route):
            if names_service(self.team, self.app, to):
                to |= self.destination
        for each in route["spec"].get("http") or ():
            if each.get("match") == [{"uri": {"prefix": "/"}}]:
                del each["match"]

    def _renamed(self, value: Any, name: str, release: str | None) -> Any:
        if isinstance(value, dict):
            renamed = {key: self._renamed(item, name, release) for key, item in value.items()}
            if release and renamed.get(INSTANCE) == release:
                renamed[INSTANCE] = self.app.name
            return renamed
        if isinstance(value, list):
            return [self._renamed(item, name, release) for item in value]
        if isinstance(value, str) and value.removesuffix(METRICS_SUFFIX) == name:
            return self.app.name + value.removeprefix(name)
        return value


def find_formers(cluster: Cluster, teams: Sequence[Team], settings: Settings) -> dict[str, Former]:
    """The teams' apps on the API server, by `<team>/<app>`; only apps that ran before.

    Raises RefusedError, UnreachableError.
    """
    deployed = [team for team in teams if team.deployed]
    found: dict[str, Former] = {}
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for team, live in _live(cluster, deployed, pool):
            for app in team.deployed:
                others = sharers(team, app, settings) if isinstance(app, WebApp) else []
                former = _former(team, app, live, gateway(app, settings), tuple(others))
                if former.objects or former.routes:
                    found[f"{team.name}/{app.name}"] = former
    return found


def _live(cluster: Cluster, teams: Sequence[Team], pool: Executor) -> Iterator[tuple[Team, Live]]:
    """The teams that have a namespace, in turn, and what is in it."""
    if not teams:
        return
    cluster.served("v1")  # once, and not by each concurrent caller

    def namespace(team: Team) -> Object | None:
        return cluster.get("v1", "Namespace", None, team.name)

    def listed(place: tuple[Team, str]) -> Sequence[Object]:
        team, kind = place
        version = _VERSIONS[kind]
        objects = cluster.list(version, kind, team.name)
        return [{"apiVersion": version, "kind": kind, **each} for each in objects]

    there = [team for team, found in zip(teams, pool.map(namespace, teams), strict=True) if found]
    versions = sorted(set(_VERSIONS.values())) if there else []
    served = dict(zip(versions, pool.map(cluster.served, versions), strict=True))
    kinds = [kind for kind, version in _VERSIONS.items() if kind in served.get(version, ())]
    lists = pool.map(listed, product(there, kinds))
    for team in there:
        live: dict[str, Sequence[Object]] = dict.fromkeys(_VERSIONS, ())
        yield team, live | dict(zip(kinds, lists, strict=False))


def _former(
    team: Team, app: AnyApp, live: Live, gateway: str | None, sharers: tuple[WebApp, ...]
) -> Former:
    own_names = {app.name, app.metrics_service}
    # By these names, the program routes to the apps that share the host.
    own_routes = {app.name, *(other.name for other in sharers)}
    every = [each for objects in live.values() for each in objects]
    routes = [
        each
        for each in live["VirtualService"]
        if isinstance(app, WebApp)
        and gateway in _gateways(each)
        and each["metadata"]["name"] not in own_routes
        and any(part.owner is app for part in former_routes(each, (app, *sharers)))
    ]
    return Former(
        team,
        app,
        tuple(each for each in every if _is_of_release(each, app)),
        tuple(routes),
        tuple(each for each in every if each["metadata"]["name"] in own_names),
        sharers,
    )


def _is_of_release(object: Object, app: AnyApp) -> bool:
    metadata = object["metadata"]
    name, release = metadata["name"], release_of(object)
    if (metadata.get("labels") or {}).get(NAME) != app.name or name in (
        app.name,
        app.metrics_service,
    ):
        return False
    if object["kind"] == "Service":
        name = name.removesuffix(METRICS_SUFFIX)
    return release is not None and name == chart_name(release, app.name)


def _gateways(route: Object) -> list[str]:
    """Those of a VirtualService, each as namespace/name."""
    namespace = route["metadata"]["namespace"]
    named = route["spec"].get("gateways") or ()
    return [each if "/" in each else f"{namespace}/{each}" for each in named]
