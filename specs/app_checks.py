"""Checks across the keys of one app, and against the team and the stack."""

from collections.abc import Iterator

from specs.app import METRICS_SUFFIX, AnyApp, CronJob, Ingress, WebApp, Worker
from specs.container import (
    Container,
    CronJobContainer,
    EnvVar,
    ExecProbes,
    WorkerContainer,
)
from specs.credentials import credential_form, looks_like_credential
from specs.hosts import overlap
from specs.names import nearest
from specs.namespace import check_selectors
from specs.policy_checks import check_policy
from specs.problem import Finding, Loc
from specs.resources import resolve
from specs.settings import Settings
from specs.team import Team

# A CronJob's name plus the 11 characters of a run must fit a label (Kubernetes: CronJob).
_CRONJOB_NAME_MAX = 52
_SERVICE_NAME_MAX = 63

# Containers that Istio's injection adds to pods. It merges its own into one with the same name
# (istio/istio: pkg/kube/inject/inject.go, files/injection-template.yaml). An app's container has
# the app's name.
_SIDECAR_CONTAINERS = frozenset(
    {"istio-proxy", "istio-init", "istio-validation", "enable-core-dump"}
)

# Ports that Istio's sidecar listens on in every pod (Istio: Ports used by Istio).
_SIDECAR_PORTS = frozenset({15000, 15001, 15002, 15004, 15006, 15008, 15020, 15021, 15053, 15090})


def check_app(team: Team, app: AnyApp, at: Loc, settings: Settings) -> Iterator[Finding]:
    """Everything that is wrong with an app whose individual values are valid."""
    container = app.app
    inner: Loc = (*at, "app")
    yield from _check_app_name(app, inner)
    if container.team is not None and container.team != team.name:
        yield (
            (*inner, "team"),
            f"'{container.team}' is not this file's team; write {team.name} or leave it out",
        )
    yield from _check_image(team, container, inner, settings)
    yield from _check_env(container.env, (*inner, "env"))
    yield from _check_words(container, inner)
    yield from _check_resources(team, container, (*inner, "resources"))
    yield from _check_writable_paths(container, (*inner, "writablePaths"))
    yield from check_policy(app.network_policy, (*at, "networkPolicy"))
    yield from check_selectors(app.network_policy, (*at, "networkPolicy"), settings.namespace)
    seen: set[str] = set()
    for index, alert in enumerate(app.alerts):
        if alert.name in seen:
            yield (*at, "alerts", index, "name"), f"'{alert.name}' is listed twice; rename one"
        seen.add(alert.name)
        texts = {"name": alert.name, "expr": alert.expr, "summary": alert.summary}
        for key, text in texts.items():
            if form := credential_form(text):
                yield (
                    (*at, "alerts", index, key),
                    f"contains {form}, which everyone who sees the alert can read; remove it",
                )
    if isinstance(app, WebApp):
        yield from _check_port(app.app.port, (*inner, "port"))
        yield from _check_ingress(app.ingress, (*at, "ingress"), settings)
    elif app.service_monitor.enabled:
        yield from _check_port(app.service_monitor.port, (*at, "serviceMonitor", "port"))
    if isinstance(app, WebApp | Worker):
        yield from _check_scaling(app, at)
    if isinstance(app, Worker) and settings.kubernetes.require_probes:
        yield from _check_probes(app.app.probes, (*inner, "probes"))


def _check_probes(probes: ExecProbes, at: Loc) -> Iterator[Finding]:
    for name in ("liveness", "readiness"):
        if getattr(probes, name) is None:
            yield (
                (*at, name),
                "is required on this cluster (sre-platform:kubernetes.requireProbes); add "
                f"`{name}: {{exec: {{command: [...]}}}}`",
            )


def _check_app_name(app: AnyApp, inner: Loc) -> Iterator[Finding]:
    loc, name = (*inner, "name"), app.name
    if name in _SIDECAR_CONTAINERS:
        yield loc, f"'{name}' is the name of a container that Istio adds; choose another name"
        return
    if isinstance(app, CronJob) and len(name) > _CRONJOB_NAME_MAX:
        yield (
            loc,
            f"has {len(name)} characters, but a cronjob's name may have at most "
            f"{_CRONJOB_NAME_MAX}; shorten it",
        )
        return
    metrics = app.metrics_service
    if metrics and len(metrics) > _SERVICE_NAME_MAX:
        most = _SERVICE_NAME_MAX - len(METRICS_SUFFIX)
        yield (
            loc,
            f"has {len(name)} characters, but its Service <name>-metrics allows {most}; shorten it",
        )
    elif (metrics or isinstance(app, WebApp)) and name[:1].isdigit():
        # A Service's name is an RFC 1035 label.
        yield loc, f"'{name}' starts with a digit, but a Service name must not; start with a letter"


def _check_image(
    team: Team, container: Container, inner: Loc, settings: Settings
) -> Iterator[Finding]:
    loc: Loc = (*inner, "image", "repository")
    repository, registry = container.image.repository, settings.harbor.host
    host, _, path = repository.partition("/")
    project, _, image = path.partition("/")
    suggestion = f"{registry}/{team.name}/{image or container.name}"
    if host != registry:
        yield (
            loc,
            f"'{repository}' is not in {registry}; push it there and write {suggestion}",
        )
    elif not image:
        yield loc, f"'{repository}' has no image name; write {suggestion}"
    elif project != team.name and project not in settings.harbor.shared_projects:
        shared = ", ".join(settings.harbor.shared_projects) or "none"
        yield (
            loc,
            (
                f"project '{project}' is neither the team's nor shared (shared: {shared}); "
                f"write {suggestion}"
            ),
        )


def _check_env(env: tuple[EnvVar, ...], at: Loc) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, variable in enumerate(env):
        loc: Loc = (*at, index)
        if variable.name in seen:
            yield (*loc, "name"), f"'{variable.name}' is listed twice; remove one"
        seen.add(variable.name)
        if variable.value is not None and variable.secret_ref is not None:
            yield loc, "has both value and secretRef; keep one of the two"
        elif variable.value is None and variable.secret_ref is None:
            yield loc, "has neither value nor secretRef; add one of the two"
        elif variable.secret_ref is not None and variable.plain:
            yield (*loc, "plain"), "applies only to `value`; remove it"
        elif variable.value is not None and not variable.plain:
            reason = looks_like_credential(variable.name, variable.value)
            if reason:
                yield (
                    (*loc, "value"),
                    f"{reason}; use secretRef, or add `plain: true` if it is not a credential",
                )


def _check_words(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report credentials in commands and arguments, which anyone who may view a pod can see."""
    reference = "write $(NAME) here"
    words: list[tuple[Loc, tuple[str, ...], str]] = []
    if isinstance(container, WorkerContainer | CronJobContainer):
        words += (
            ((*inner, key), getattr(container, key), reference) for key in ("command", "args")
        )
    if isinstance(container, WorkerContainer):
        for key in ("liveness", "readiness"):
            if probe := getattr(container.probes, key):
                at: Loc = (*inner, "probes", key, "exec", "command")
                words.append((at, probe.exec.command, "let a shell read it"))
    for at, each, use in words:
        for index, word in enumerate(each):
            if form := credential_form(word):
                yield (*at, index), f"contains {form}; add a variable with a secretRef, and {use}"


def _check_resources(team: Team, container: Container, at: Loc) -> Iterator[Finding]:
    limits = team.limit_range
    resolved = resolve(container.resources, limits)
    for resource in ("cpu", "memory"):
        request = getattr(resolved.requests, resource)
        limit = getattr(resolved.limits, resource)
        own_request = getattr(container.resources.requests, resource) is not None
        own_limit = getattr(container.resources.limits, resource) is not None
        most = getattr(limits.max, resource)
        least = getattr(limits.min, resource)
        request_loc: Loc = (*at, "requests", resource)
        limit_loc: Loc = (*at, "limits", resource)
        if own_limit and limit.units > most.units:
            yield (
                limit_loc,
                f"{limit} is over limitRange.max.{resource} {most}; lower it, or raise "
                f"limitRange.max.{resource}",
            )
        if own_request and least is not None and request.units < least.units:
            yield (
                request_loc,
                f"{request} is under limitRange.min.{resource} {least}; raise it, or lower "
                f"limitRange.min.{resource}",
            )
        if request.units > limit.units and (own_request or own_limit):
            if own_request and own_limit:
                yield (
                    request_loc,
                    f"{request} is over the limit {limit}; lower it or raise the limit",
                )
            elif own_request:
                yield (
                    request_loc,
                    f"{request} is over the default limit {limit}; set limits.{resource} too",
                )
            else:
                yield (
                    limit_loc,
                    f"{limit} is under the default request {request}; set requests.{resource} too",
                )


def _check_writable_paths(container: Container, at: Loc) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, writable in enumerate(container.writable_paths):
        if writable.path in seen:
            yield (*at, index, "path"), f"'{writable.path}' is listed twice; remove one"
        seen.add(writable.path)


def _check_port(port: int, loc: Loc) -> Iterator[Finding]:
    if port in _SIDECAR_PORTS:
        yield loc, f"{port} is used by Istio's sidecar in every pod; use another port such as 8080"


def _check_ingress(ingress: Ingress, at: Loc, settings: Settings) -> Iterator[Finding]:
    if ingress.enabled and ingress.host is None:
        yield (
            (*at, "host"),
            "is required when ingress is enabled; add it, such as `host: my-api.apps.example.com`",
        )
    elif ingress.host is not None:
        yield from _check_host(ingress.host, (*at, "host"), settings)
    known = settings.istio.gateways
    if ingress.gateway is not None and ingress.gateway not in known:
        hint = nearest(ingress.gateway, known)
        do = f"did you mean {hint}?" if hint else f"use one of: {', '.join(known)}"
        yield (*at, "gateway"), f"'{ingress.gateway}' is not a gateway of this stack; {do}"


def _check_host(host: str, loc: Loc, settings: Settings) -> Iterator[Finding]:
    """Report hosts of the platform: its logins, image pulls and secrets would go to the app."""
    for own, setting in settings.platform_owned_hosts.items():
        if overlap(host, own):
            named = f"sre-platform:{setting}{f': {own}' if own != host else ''}"
            yield loc, f"'{host}' is reserved for the platform ({named}); choose another"
            return
    namespace = host.rpartition(".")[2]
    if settings.is_platform_namespace(namespace):
        yield (
            loc,
            f"'{host}' is the name of a Service in the platform's namespace '{namespace}'; write "
            "the host name that users call, such as my-api.apps.sre.example.com",
        )


def _check_scaling(app: WebApp | Worker, at: Loc) -> Iterator[Finding]:
    scaling = app.autoscaling
    if scaling.enabled and scaling.min_replicas > scaling.max_replicas:
        yield (
            (*at, "autoscaling", "minReplicas"),
            f"{scaling.min_replicas} is over maxReplicas {scaling.max_replicas}; lower it",
        )
    replicas = scaling.min_replicas if scaling.enabled else app.app.replicas
    budget = app.pod_disruption_budget
    if replicas and not budget.lets_go(replicas):
        pods = ("autoscaling", "minReplicas") if scaling.enabled else ("app", "replicas")
        source = ".".join(pods)
        if "min_available" not in budget.model_fields_set:
            yield (
                (*at, *pods),
                f"{replicas} pod, and podDisruptionBudget.minAvailable is {budget.min_available}, "
                "so no node can be drained; raise it to 2 or set podDisruptionBudget.enabled "
                "to false",
            )
            return
        fix = (
            f"raise {source} to 2 or set podDisruptionBudget.enabled to false"
            if replicas == 1
            else f"keep minAvailable below {source}"
        )
        yield (
            (*at, "podDisruptionBudget", "minAvailable"),
            f"{budget.min_available} of {replicas} pods ({source}) must keep "
            "running, "
            f"so no node can be drained; {fix}",
        )
