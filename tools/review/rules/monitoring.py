"""Monitoring (NIST 800-53 SI-4, AU-6)."""

from collections.abc import Iterator
from typing import Any

from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules
from tools.review.rules.exceptions import exceptions_differ

_EXCEPTION_ENDS = "AppExceptionEnds"


def prometheus_rule(pair: Pair) -> Iterator[Hit]:
    """Alerts of an app or a team."""
    if pair.before is None:
        return
    before, after = _alerts(pair.was("spec.groups")), _alerts(pair.now("spec.groups"))
    for alert in sorted(before):
        _, name = alert
        if name == _EXCEPTION_ENDS and exceptions_differ(pair):
            continue  # it follows from them, and they have findings of their own
        if alert not in after:
            yield Hit(Rules.MONITORING, name)
        elif before[alert] != after[alert]:
            yield Hit(Rules.ALERT, f"the alert {name}")


def service_monitor(pair: Pair) -> Iterator[Hit]:
    """Which of an app's metrics Prometheus reads, and whether encrypted."""
    before, after = pair.was("spec.endpoints"), pair.now("spec.endpoints")
    if pair.before and after != before:
        yield Hit(Rules.ALERT, f"{pair.object.shown} scrapes other metrics")
        if _encrypted(before) and not _encrypted(after):
            yield Hit(Rules.MESH, f"{pair.object.shown} reads metrics without TLS")


def _encrypted(endpoints: Any) -> bool:
    return all(endpoint.get("scheme") == "https" for endpoint in endpoints or ())


def _alerts(groups: Any) -> dict[tuple[str, str], Any]:
    """Rules by group and name: an app's own alert may have the name of a default one."""
    return {
        (group.get("name") or "?", rule.get("alert") or rule.get("record") or "?"): rule
        for group in groups or ()
        for rule in group.get("rules") or ()
    }
