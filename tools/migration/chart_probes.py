"""Probes as charts have them, in Kubernetes' spelling or their own, in that of a team's file."""

from typing import Any

from specs.probes import CHECKS, DEFAULT_FAILURES, LIVENESS, READINESS, STARTUP
from tools.migration.value import Value

_KEYS = {"startupProbe": STARTUP, "livenessProbe": LIVENESS, "readinessProbe": READINESS}

# Kubernetes' name of each kind of check, and this file's.
_KINDS = {"httpGet": "path", "tcpSocket": "tcp", "grpc": "grpc", "exec": "exec"}

# What applies where a probe says nothing else: in Kubernetes, and in the platform's charts, whose
# `startupProbe` has a `path` or a `type`.
_KUBERNETES = {"initialDelaySeconds": 0, "periodSeconds": 10}
_CHARTS = {"initialDelaySeconds": 5, "periodSeconds": 5, "failureThreshold": 30}

# Name of the main port in the charts.
_MAIN_PORT = "http"

_OFF = "off in the values that were imported"


def respell_probes(entry: Value) -> None:
    """Move probes to `app.probes`; what has no counterpart there stays, and is reported."""
    app = entry.mapping(("app",))
    if app is None:
        return
    probes = app.mapping(("probes",))
    known = probes.data if probes else {}
    for probe in known.values():
        if isinstance(probe.data, dict):
            _respell(probe)
    moved: dict[str, Value] = {}
    for holder in (entry, app):
        for key, name in _KEYS.items():
            probe = holder.data.get(key)
            if not probe or not isinstance(probe.data, dict) or name in known or name in moved:
                continue
            del holder.data[key]
            if (left := _moved(probe, name)) is not None:
                moved[name] = left
    if moved:
        app.data["probes"] = Value(app.source, app.loc, {**known, **moved})


def _moved(probe: Value, name: str) -> Value | None:
    """The probe with what its other spelling implies; None if there it is not in force."""
    spelt_by_kubernetes = not _KINDS.keys().isdisjoint(probe.data)
    on = probe.data.get("enabled")
    if name == STARTUP and not (on.data if on else spelt_by_kubernetes):
        return None
    if on and on.data is False:
        reason = Value(on.source, on.loc, _OFF)
        return Value(probe.source, probe.loc, {"enabled": on, "reason": reason})
    implied: dict[str, Any] = _KUBERNETES
    if name == STARTUP:
        implied = _KUBERNETES | {"failureThreshold": DEFAULT_FAILURES}
        implied = implied if spelt_by_kubernetes else _CHARTS
    made = Value(probe.source, probe.loc, {k: v for k, v in probe.data.items() if k != "enabled"})
    _respell(made)
    if implied is _CHARTS and made.data.keys().isdisjoint(CHECKS):
        made.data["path"] = Value(probe.source, probe.loc, "/")
    for key, value in implied.items():
        made.data.setdefault(key, Value(probe.source, probe.loc, value))
    return made


def _respell(probe: Value) -> None:
    data = probe.data
    kind = data.get("type")
    if kind and kind.data in ("http", "tcp", "grpc"):
        del data["type"]
        if kind.data != "http":
            data.pop("path", None)  # the charts ignore it
            data.setdefault(kind.data, Value(kind.source, kind.loc, {}))
    for theirs, ours in _KINDS.items():
        check = data.get(theirs)
        if not check or not isinstance(check.data, dict):
            continue
        inside = {key: value for key, value in check.data.items() if not _says_nothing(key, value)}
        del data[theirs]
        if ours == "path":
            data.update(inside)
        else:
            data[ours] = Value(check.source, check.loc, inside)


def _says_nothing(key: str, value: Value) -> bool:
    """Whether it is what a team's file means by leaving the key out."""
    usual = {"port": _MAIN_PORT, "scheme": "HTTP", "service": ""}
    return value.data is None or (key in usual and value.data == usual[key])
