"""Whether secrets arrive: what the External Secrets Operator notes on the objects that it serves.

Nothing here makes `up` fail, which only hands the objects to the API server. Without the operator,
pods wait for their Secrets, and what they have grows old.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tools.doctor.examination import Outcome, fail, ok, warn

_START_IT = "start it, or see its log"
_NAMED = 3  # ExternalSecrets named in a line
# The operator retries what fails, and is allowed a while for that.
_LATE_AFTER = timedelta(minutes=5)
_PERIODS = {"h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}


def store(name: str, live: Mapping[str, Any]) -> Outcome:
    """What the operator says of a ClusterSecretStore."""
    ready = _ready(live)
    if ready is None:
        return warn(f"{name} was never looked at by the External Secrets Operator", _START_IT)
    if ready["status"] == "True":
        return ok(name)
    return fail(
        f"{name} is not ready", f"see `kubectl describe clustersecretstore {name}` for the reason"
    )


def secrets(live: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Outcome]:
    """What the operator says of the ExternalSecrets that exist."""
    live = sorted(live, key=_name)
    untouched = [one for one in live if _ready(one) is None]
    failing = [one for one in live if (_ready(one) or {}).get("status") == "False"]
    late = [one for one in live if one not in failing and _is_late(one, now)]
    if untouched:
        yield warn(
            f"{_names(untouched)} never looked at by the External Secrets Operator", _START_IT
        )
    if failing:
        metadata = failing[0]["metadata"]
        yield warn(
            f"{_names(failing)} not fetched",
            f"see `kubectl describe externalsecret {metadata['name']} -n {metadata['namespace']}` "
            "for the reason",
        )
    if late:
        oldest = min(one["status"]["refreshTime"] for one in late)
        yield warn(
            f"{_names(late)} not refreshed since {oldest}: the External Secrets Operator is down "
            "or too slow",
            _START_IT,
        )
    if not (untouched or failing or late):
        yield ok(f"{len(live)} fetched" if live else "no ExternalSecret yet")


def _ready(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    conditions = live.get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == "Ready"), None)


def _is_late(live: Mapping[str, Any], now: datetime) -> bool:
    refreshed = live.get("status", {}).get("refreshTime")
    interval = _interval(live["spec"].get("refreshInterval", "1h"))
    if not (refreshed and interval):  # an interval of 0: fetched once
        return False
    return now - datetime.fromisoformat(refreshed).astimezone(UTC) > interval + _LATE_AFTER


def _interval(duration: str) -> timedelta:
    """A duration as Go writes it: `1h0m0s`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", duration)
    return sum((timedelta(**{_PERIODS[unit]: float(n)}) for n, unit in parts), timedelta())


def _name(live: Mapping[str, Any]) -> str:
    return f"{live['metadata']['namespace']}/{live['metadata']['name']}"


def _names(live: Iterable[Mapping[str, Any]]) -> str:
    names = [_name(one) for one in live]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
