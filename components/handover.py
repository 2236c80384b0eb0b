"""From a Helm release's objects to the app's own: the next step, and the way back.

Each command shown is a single write, so that traffic always has one destination.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from clients.kubernetes import Cluster, Object
from components.former import Former, release_of
from components.former_routes import names_service
from components.metadata import INSTANCE, app_selector
from specs.app import CronJob, WebApp
from specs.capacity import RESOURCES, Amounts, AppDemand, capacity, shown, total
from specs.quantity import parse
from specs.settings import Settings
from specs.team import Team

_ALSO_CALLED = {"requests.cpu": "cpu", "requests.memory": "memory"}


def report(name: str, former: Former, teams: Sequence[Team]) -> str:
    """The release's objects, what waits until they are gone, and the next step."""
    runs = _by_name(former.everything)
    lines = [f"{name} runs under other names; its new objects start beside these: {runs}"]
    if waiting := sorted(_waiting(former)):
        lines.append(f"held back: {'; '.join(waiting)}")
    lines += _beyond(former)
    lines += _next(former)
    lines += _callers(former, teams)
    return "\n  ".join(lines)


def _by_name(objects: Iterable[Object]) -> str:
    kinds: dict[str, list[str]] = defaultdict(list)
    for each in objects:
        kinds[each["metadata"]["name"]].append(each["kind"])
    return "; ".join(f"{', '.join(sorted(kinds[name]))} {name}" for name in sorted(kinds))


def _waiting(former: Former) -> Iterator[str]:
    for kind in former.held:
        if kind == "VirtualService":
            routes = " and ".join(
                route["metadata"]["name"] for route in former.routes if not former.leads_here(route)
            )
            yield f"{kind}, until {routes} routes to Service {former.app.name}"
        elif kind == "CronJob":
            yield f"{kind}, until the former one is suspended"
        else:
            yield f"{kind}, until the former one is deleted"


def _beyond(former: Former) -> Iterator[str]:
    """What a former VirtualService does for other hosts."""
    for route in former.routes:
        assert isinstance(former.app, WebApp)
        known = {host for app in (former.app, *former.sharers) for host in app.ingress.every_host}
        others = sorted({*route["spec"]["hosts"]} - known)
        if others:
            yield (
                f"VirtualService {route['metadata']['name']} also serves {', '.join(others)}: "
                "the commands move these too, and they stop working when it is deleted"
            )


def _next(former: Former) -> Iterator[str]:
    name, app = former.team.name, former.app.name
    if not former.team.running:
        yield "next: make the team active; a suspended team has no pods to move to"
        return
    deployment = former.mine("Deployment")
    if deployment is None and not isinstance(former.app, CronJob):
        yield f"next: `pulumi up`; it starts {former.pods} pods beside those that are running"
        return
    if deployment and _available(deployment) < former.pods:
        yield (
            f"next: wait until {former.pods} pods of Deployment {app} are available "
            f"(now {_available(deployment)})"
        )
        if deployment["spec"]["replicas"] < former.pods:
            yield f"  kubectl scale deployment {app} -n {name} --replicas {former.pods}"
        return
    if moves := list(_moves(former)):
        yield "next: move it; each command is a single write:"
        yield from (f"  {there}" for there, _ in moves)
        yield "back:"
        yield from (f"  {back}" for _, back in moves)
        return
    shared = list(_shared(former))
    if shared and "VirtualService" in former.held:
        yield from shared
        return
    if nowhere := [r["metadata"]["name"] for r in former.routes if not former.leads_here(r)]:
        yield (
            f"next: VirtualService {' and '.join(nowhere)} has no route to a Service "
            f"(a redirect or a delegate, for example); add a route to Service {app}, or remove "
            "the host from it"
        )
        return
    kind = "CronJob" if isinstance(former.app, CronJob) else "VirtualService"
    if former.mine(kind) is None and (former.routes or kind == "CronJob"):
        yield f"next: `pulumi up`; it creates {kind} {app}"
    elif shared:
        yield from shared
    else:
        yield "next: save what you delete (`helm get manifest`), then delete it, Services last:"
        yield from (f"  {command}" for command in _deletions(former))
    if back := list(_ways_back(former)):
        yield "back:"
        yield from (f"  {each}" for each in back)


def _shared(former: Former) -> Iterator[str]:
    """Other apps that must move before a VirtualService can go."""
    for route in former.routes:
        if others := former.others(route):
            name = route["metadata"]["name"]
            yield f"next: move {' and '.join(others)}, which VirtualService {name} serves too"


def _available(deployment: Object) -> int:
    return int((deployment.get("status") or {}).get("availableReplicas") or 0)


def _moves(former: Former) -> Iterator[tuple[str, str]]:
    """What is still to be moved: one command each, with the command that undoes it."""
    for service in former.services:
        selector = service["spec"].get("selector")
        if former.mine("Service") and selector != app_selector(former.app):
            yield (
                _patched(service, {"/spec/selector": app_selector(former.app)}),
                _patched(service, {"/spec/selector": selector}),
            )
    for route in former.routes:
        assert isinstance(former.app, WebApp)
        away = {
            at: to
            for at, to in former.destinations(route)
            if not names_service(former.team, former.app, to)
        }
        if away:
            yield (
                _patched(route, dict.fromkeys(away, former.destination)),
                _patched(route, away),
            )
    for job in former.of("CronJob"):
        if not job["spec"].get("suspend"):
            yield (
                _patched(job, {"/spec/suspend": True}),
                _patched(job, {"/spec/suspend": False}),
            )


def _ways_back(former: Former) -> Iterator[str]:
    """Commands that lead back to the release's pods, once everything has been moved."""
    if former.routes and former.mine("VirtualService"):
        yield f"kubectl delete virtualservice {former.app.name} -n {former.team.name}"
    if own := former.mine("CronJob"):
        yield _patched(own, {"/spec/suspend": True})
    for route in former.routes:
        for service in former.services[:1]:
            port = service["spec"]["ports"][0]["port"]
            there = {"host": service["metadata"]["name"], "port": {"number": port}}
            yield _patched(route, {at: there for at, _ in former.destinations(route)})
    for service in former.services:
        release = release_of(service)
        if release != former.app.name:
            selector = {**app_selector(former.app), INSTANCE: release}
            yield _patched(service, {"/spec/selector": selector})
    for job in former.of("CronJob"):
        yield _patched(job, {"/spec/suspend": False})


def _deletions(former: Former) -> Iterator[str]:
    words = [f"{each['kind'].lower()}/{each['metadata']['name']}" for each in former.everything]
    services = [word for word in words if word.startswith("service/")]
    for group in (sorted({*words} - {*services}), services):
        if group:
            yield f"kubectl delete -n {former.team.name} {' '.join(group)}"


def _patched(object: Object, values: Mapping[str, object]) -> str:
    metadata = object["metadata"]
    # "add" also replaces an existing value.
    changes = [{"op": "add", "path": path, "value": value} for path, value in values.items()]
    return (
        f"kubectl patch {object['kind'].lower()} {metadata['name']} -n {metadata['namespace']} "
        f"--type json -p '{json.dumps(changes)}'"
    )


def _callers(former: Former, teams: Sequence[Team]) -> Iterator[str]:
    """Places in the teams' files that call a Service that is about to be deleted."""
    for service in former.services:
        name = service["metadata"]["name"]
        called = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
        for team in teams:
            for app in team.deployed:
                for variable in app.app.env:
                    if variable.value and called.search(variable.value):
                        yield (
                            f"{team.name}/{app.name}: {variable.name} names Service {name}, which "
                            f"will be deleted; write {former.app.name}"
                        )


def taken_names(formers: Iterable[Former]) -> Iterator[str]:
    """A line for each former object whose name another app of the team is to get."""
    for former in formers:
        others = {app.name: app for app in former.team.deployed if app is not former.app}
        for each in former.objects:
            kind, name = each["kind"], each["metadata"]["name"]
            if other := others.get(name):
                yield (
                    f"{former.team.name}: {kind} {name} belongs to a release of the app "
                    f"{former.app.name}, and the app {other.name} would take it over; leave "
                    f"{other.name} out of the file until {former.app.name} has moved"
                )


def lacking_room(cluster: Cluster, formers: Iterable[Former], settings: Settings) -> Iterator[str]:
    """A line for each resource of which a quota is too small for both to run at once."""
    by_team: dict[str, list[Former]] = defaultdict(list)
    for former in formers:
        by_team[former.team.name].append(former)
    for name, moving in by_team.items():
        quotas = cluster.list("v1", "ResourceQuota", name)
        whole = capacity(moving[0].team, settings)
        apps = {demand.app.name: demand for demand in whole.apps}
        needs = total(_needed(former, apps[former.app.name]) for former in moving)
        for number, resource in enumerate(RESOURCES):
            used, others = _used(quotas, resource, f"{name}-quota")
            limits = [limit for limit in (whole.quota[number], *others) if limit is not None]
            hard, need = min(limits, default=None), needs[number]
            if need and used is not None and hard is not None and used + need > hard:
                yield (
                    f"{name}: to run beside what is there, {', '.join(f.app.name for f in moving)} "
                    f"need {shown(resource, need)} more {resource}, but only "
                    f"{shown(resource, max(0, hard - used))} is free; raise quota.{resource} to "
                    f"{shown(resource, used + need)} during the move, or leave some apps out of "
                    "the file and move them one by one"
                )


def _needed(former: Former, demand: AppDemand) -> Amounts:
    """The amounts of the app's own objects that are yet to be created."""
    deployment = former.mine("Deployment")
    pods = former.pods - (deployment["spec"]["replicas"] if deployment else 0)
    services = 0 if any(own["kind"] == "Service" for own in former.own) else 1
    return tuple(
        services * always + max(0, pods) * pod
        for always, pod in zip(demand.always, demand.pod, strict=True)
    )


def _used(quotas: Sequence[Object], resource: str, own: str) -> tuple[int | None, list[int]]:
    """How much of a resource is used, if anything counts it, and the limits of other quotas."""
    used: list[int] = []
    bounds: list[int] = []
    for quota in quotas:
        status = quota.get("status") or {}
        for key in (resource, _ALSO_CALLED.get(resource, resource)):
            if key in (status.get("used") or {}):
                used.append(_units(resource, status["used"][key]))
                if quota["metadata"]["name"] != own:
                    bounds.append(_units(resource, status["hard"][key]))
    return max(used, default=None), bounds


def _units(resource: str, quantity: str) -> int:
    """As in capacity.Amounts."""
    value = parse(quantity)
    return int(value * 1000 if resource.endswith("cpu") else value)
