"""Checks across the keys of one team's file: rules that involve more than one value."""

from collections.abc import Iterator
from itertools import pairwise
from operator import attrgetter

from specs.access import check_access
from specs.app import AnyApp, WebApp
from specs.app_checks import check_app
from specs.call_checks import check_internal_traffic
from specs.calls import service_entry_name
from specs.capacity import RESOURCES
from specs.connections import called_hosts, called_ranges
from specs.fit import check_sidecar
from specs.namespace import check_namespace
from specs.problem import Finding, Loc
from specs.retention import check_retention
from specs.settings import SECRET_STORE, Settings
from specs.team import LimitRange, Team

# NetworkPolicies of each namespace: the guide's six (Default network rules), and one for Istio.
TENANT_POLICIES = (
    "default-deny-all",
    "allow-dns",
    "allow-monitoring",
    "allow-istio-gateway",
    "allow-same-namespace",
    "allow-https-egress",
    "allow-istio-control-plane",
)

# Kubernetes' own, and that of the namespace's SecretStore.
_ACCOUNTS = ("default", SECRET_STORE)

_NAMESPACE = "the namespace itself"


def check_team(team: Team, settings: Settings, file_stem: str) -> Iterator[Finding]:
    """Everything that is wrong with a team whose individual values are valid."""
    yield from _check_name(team, settings, file_stem)
    yield from check_namespace(team, settings.namespace)
    yield from check_internal_traffic(team, settings)
    yield from check_access(team, settings)
    if all(attrgetter(resource)(team.quota) is None for resource in RESOURCES):
        # Kubernetes reports no status for such a quota, and `up` would wait for it.
        yield ("quota",), "must limit at least one resource; set a limit, such as pods"
    yield from _check_limit_range(team.limit_range)
    yield from check_sidecar(team.limit_range, settings.istio.sidecar)
    if not team.registry.signatures.enforce and not team.registry.signatures.reason:
        loc: Loc = ("registry", "signatures", "enforce")
        yield loc, "is off without a reason; add `reason`, or turn it on"
    yield from check_retention(team)
    for index, app in enumerate(team.apps):
        yield from check_app(team, app, ("apps", index), settings)
    yield from _check_objects(team, settings)


def _check_name(team: Team, settings: Settings, file_stem: str) -> Iterator[Finding]:
    if team.name != file_stem:
        yield (
            ("team",),
            f"'{team.name}' does not match the file name; write {file_stem}, or rename the file",
        )
    elif settings.is_platform_namespace(team.name):
        yield ("team",), f"'{team.name}' is a namespace of the platform; choose another name"
    elif team.name in settings.harbor.shared_projects:
        yield ("team",), f"'{team.name}' is a shared registry project; choose another name"


def _check_limit_range(limits: LimitRange) -> Iterator[Finding]:
    for resource in ("cpu", "memory"):
        bounds = [
            ("min", limits.min),
            ("defaultRequest", limits.default_request),
            ("default", limits.default),
            ("max", limits.max),
        ]
        given = [bound for bound in bounds if getattr(bound[1], resource) is not None]
        for (low_name, low), (high_name, high) in pairwise(given):
            least, most = getattr(low, resource), getattr(high, resource)
            if least.units <= most.units:
                continue
            # Reported at the one that the file sets: the other may be a default.
            if resource in low.model_fields_set:
                yield (
                    ("limitRange", low_name, resource),
                    f"{least} is over limitRange.{high_name}.{resource} {most}; lower it",
                )
            else:
                yield (
                    ("limitRange", high_name, resource),
                    f"{most} is under limitRange.{low_name}.{resource} {least}; raise it, "
                    f"or lower limitRange.{low_name}.{resource}",
                )


def _check_objects(team: Team, settings: Settings) -> Iterator[Finding]:
    """No two apps, and no app and the tenant, create an object of the same kind and name."""
    makers = dict.fromkeys((("NetworkPolicy", name) for name in TENANT_POLICIES), _NAMESPACE)
    makers.update(dict.fromkeys((("ServiceAccount", name) for name in _ACCOUNTS), _NAMESPACE))
    makers["PrometheusRule", team.quota_name] = _NAMESPACE
    names: set[str] = set()
    for index, app in enumerate(team.apps):
        loc: Loc = ("apps", index, "app", "name")
        if app.name in names:
            yield loc, f"'{app.name}' is also the name of another app of this team; rename one"
            continue
        names.add(app.name)
        for kind, name in _objects(app, settings):
            maker = makers.setdefault((kind, name), f"app '{app.name}'")
            if maker != f"app '{app.name}'":
                yield loc, f"its {kind} '{name}' is already created by {maker}; rename one"


def _objects(app: AnyApp, settings: Settings) -> Iterator[tuple[str, str]]:
    """Kind and name of the objects that an app creates under names that others could use."""
    if isinstance(app, WebApp):
        yield "Service", app.name
    elif app.metrics_service:
        yield "Service", app.metrics_service
    if app.network_policy.enabled:
        yield "NetworkPolicy", app.name
    if app.service_account.create:
        yield "ServiceAccount", app.name
    yield "PrometheusRule", app.name
    for volume in app.app.volumes:
        yield "PersistentVolumeClaim", app.claim(volume)
    for target in (*called_hosts(app, settings), *called_ranges(app, settings)):
        yield "ServiceEntry", service_entry_name(app.name, target)
