"""The report for programs."""

import json
from typing import Any

from tools.status.report import AppReport, Placed, TeamReport


def as_json(report: TeamReport) -> str:
    """The whole report."""
    document = {
        "team": report.team,
        "status": report.status,
        "apps": [_app(app) for app in report.apps],
        "unread": dict(report.unread),
    }
    return json.dumps(document, indent=2) + "\n"


def _app(app: AppReport) -> dict[str, Any]:
    return {
        "app": app.app,
        "archetype": app.archetype,
        "status": app.status,
        "pods": {"ready": app.ready, "wanted": app.wanted},
        "version": app.version or None,
        "causes": [_cause(placed) for placed in app.causes],
    }


def _cause(placed: Placed) -> dict[str, Any]:
    cause, place = placed.cause, placed.place
    return {
        "kind": cause.kind,
        "what": cause.what,
        "do": cause.do,
        "weight": cause.weight,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "key": place.path if place else None,
        "lines": list(cause.lines),
    }
