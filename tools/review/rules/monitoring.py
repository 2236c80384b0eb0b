"""Monitoring (NIST 800-53 SI-4, AU-6)."""

from collections.abc import Iterator
from typing import Any

from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules


def prometheus_rule(pair: Pair) -> Iterator[Hit]:
    """An app's alerts."""
    if pair.before is None:
        return
    before, after = _alerts(pair.was("spec.groups")), _alerts(pair.now("spec.groups"))
    for name in sorted(before):
        if name not in after:
            yield Hit(Rules.MONITORING, name)
        elif before[name] != after[name]:
            yield Hit(Rules.ALERT, f"the alert {name}")


def service_monitor(pair: Pair) -> Iterator[Hit]:
    """Which of an app's metrics Prometheus reads."""
    if pair.before and pair.now("spec.endpoints") != pair.was("spec.endpoints"):
        yield Hit(Rules.ALERT, f"{pair.object.shown} scrapes other metrics")


def _alerts(groups: Any) -> dict[str, Any]:
    return {
        rule.get("alert") or rule.get("record") or "?": rule
        for group in groups or ()
        for rule in group.get("rules") or ()
    }
