"""The report for people: one line an app, then the causes."""

from collections.abc import Iterator

from plain.table import columns
from tools.status.cause import Weight
from tools.status.report import AppReport, Status, TeamReport

_HEAD = ("APP", "STATUS", "PODS", "VERSION")

# What a reader misses who may not list a kind; of gateways, there is a list for each namespace.
MISSING = {
    "events": "failed probes and mounts, and runs that are refused, may have no cause here",
    "pods": "why an app does not run is not known",
    "deployments": "whether apps run is not known",
    "cronjobs": "whether cronjobs run is not known",
    "replicasets": "pods of old versions count as well",
    "jobs": "runs of cronjobs are not known",
    "externalsecrets": "whether secrets arrive is not known",
    "horizontalpodautoscalers": "whether autoscalers work is not known",
    "poddisruptionbudgets": "whether a drain would be blocked is not known",
    "virtualservices": "whether hosts are routed is not known",
    "certificates": "whether hosts have one is not known",
}


def text(report: TeamReport) -> str:
    """The whole report."""
    return "".join(f"{line}\n" for line in _lines(report))


def app_lines(report: TeamReport) -> Iterator[str]:
    """One line an app."""
    yield from columns([_HEAD, *(cells(app) for app in report.apps)])


class Progress:
    """Prints what changes between reports: a line for each app, and each cause once."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[str, ...]] = {}

    def lines(self, report: TeamReport) -> Iterator[str]:
        """What is new in a report."""
        for app in report.apps:
            causes = tuple(str(placed) for placed in app.causes)
            line = "  ".join(cells(app)[: 3 if app.version == "" else 4])
            before = self._shown.get(app.app, ())
            now = (line, *causes)
            self._shown[app.app] = now
            if now[:1] != before[:1]:
                yield line
            yield from (f"  {cause}" for cause in causes if cause not in before[1:])


def _lines(report: TeamReport) -> Iterator[str]:
    if not report.apps:
        yield f"{report.team} has no apps."
    else:
        yield from app_lines(report)
    for app in report.apps:
        if app.causes:
            yield ""
            yield app.app
        for placed in app.causes:
            yield f"  {'warning: ' if placed.cause.weight is Weight.WARNING else ''}{placed}"
            yield from (f"    | {line}" for line in placed.cause.lines)
    if report.unread:
        yield ""
    yield from unread_lines(report)


def unread_lines(report: TeamReport) -> Iterator[str]:
    """What could not be read, and what is therefore not known: one line a kind."""
    for plural, why in sorted(report.unread.items()):
        missing = MISSING.get(plural) or "whether hosts are served is not known"
        yield f"{plural}: {why}; {missing}"


def cells(app: AppReport) -> tuple[str, str, str, str]:
    """An app's name, status, ready pods and version."""
    counted = app.status is not Status.UNKNOWN and app.archetype != "cronjob"
    pods = f"{app.ready}/{app.wanted}" if counted else "-"
    return app.app, app.status, pods, app.version or "-"
