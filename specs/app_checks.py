"""Checks across the keys of one app, and against the team and the stack."""

from collections.abc import Iterator

from specs.app import METRICS_SUFFIX, AnyApp, CronJob, WebApp, Worker
from specs.availability_checks import check_scaling, check_strategy
from specs.call_checks import check_callers, check_calls
from specs.container import Container
from specs.credentials import credential_form
from specs.env_checks import check_env, check_words
from specs.exception_checks import check_exceptions
from specs.files import check_files
from specs.image import Image
from specs.ingress_checks import check_ingress, check_port, check_shared_hosts
from specs.mount_checks import check_mounts
from specs.namespace import check_selectors
from specs.policy_checks import check_policy
from specs.port_checks import check_ports
from specs.probe_checks import check_probes
from specs.problem import Finding, Loc, listed_twice
from specs.process import SIDECAR_CONTAINERS
from specs.process_checks import check_process
from specs.resource_checks import check_resources
from specs.settings import Settings
from specs.team import Team
from specs.volume_checks import check_volumes

# A CronJob's name plus the 11 characters of a run must fit a label (Kubernetes: CronJob).
_CRONJOB_NAME_MAX = 52

_SERVICE_NAME_MAX = 63


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
    yield from _check_image(team, container, container.image, (*inner, "image"), settings)
    for index, step in enumerate(container.init):
        if step.image:
            loc = (*inner, "init", index, "image")
            yield from _check_image(team, container, step.image, loc, settings)
    yield from check_env(container, inner)
    yield from check_words(container, inner)
    yield from check_process(container, inner)
    yield from check_resources(team, container, (*inner, "resources"))
    yield from check_mounts(container, inner)
    yield from check_files(container, inner)
    yield from check_volumes(app, at)
    yield from check_policy(app.network_policy, (*at, "networkPolicy"))
    yield from check_selectors(app.network_policy, (*at, "networkPolicy"), settings.namespace)
    yield from check_calls(team, app, at, settings)
    yield from check_exceptions(app, (*at, "exceptions"), settings)
    names = (((*at, "alerts", index, "name"), each.name) for index, each in enumerate(app.alerts))
    yield from listed_twice(names, "rename one")
    for index, alert in enumerate(app.alerts):
        texts = {"name": alert.name, "expr": alert.expr, "summary": alert.summary}
        for key, text in texts.items():
            if form := credential_form(text):
                yield (
                    (*at, "alerts", index, key),
                    f"contains {form}, which everyone who sees the alert can read; remove it",
                )
    if isinstance(app, WebApp):
        yield from check_callers(team, app, at)
        yield from check_ports(app, at)
        yield from check_ingress(team, app, (*at, "ingress"), settings)
        yield from check_shared_hosts(team, app, (*at, "ingress"), settings)
    elif app.service_monitor.enabled:
        yield from check_port(app.service_monitor.port, (*at, "serviceMonitor", "port"))
    if isinstance(app, WebApp | Worker):
        yield from check_scaling(app, at)
        yield from check_strategy(app.strategy, (*at, "strategy"))
        yield from check_probes(app, (*inner, "probes"), settings)


def _check_app_name(app: AnyApp, inner: Loc) -> Iterator[Finding]:
    loc, name = (*inner, "name"), app.name
    if name in SIDECAR_CONTAINERS:  # the app's container has its name
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
    team: Team, container: Container, image: Image, at: Loc, settings: Settings
) -> Iterator[Finding]:
    loc: Loc = (*at, "repository")
    repository, registry = image.repository, settings.harbor.host
    host, _, path = repository.partition("/")
    project, _, name = path.partition("/")
    suggestion = f"{registry}/{team.name}/{name or container.name}"
    if host != registry:
        yield (
            loc,
            f"'{repository}' is not in {registry}; push it there and write {suggestion}",
        )
    elif not name:
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
