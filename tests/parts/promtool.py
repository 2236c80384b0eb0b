"""Prometheus's own judge of rules: whether they are valid, and when their alerts fire."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from binaries import pinned

Rules = Mapping[str, Any]  # the `spec` of a PrometheusRule, which is what a file of rules has


class Alert(NamedTuple):
    """One that fires `minutes` after the first sample."""

    minutes: int
    name: str
    labels: Mapping[str, str]
    summary: str
    runbook: str = ""


class Promtool:
    """The program, with files in a folder."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder

    def objection(self, rules: Rules) -> str:
        """What it reports about these rules; empty if nothing."""
        return self._run("check", "rules", self._file("rules.json", rules))

    def failure(self, rules: Rules, series: Mapping[str, str], *wanted: Alert) -> str:
        """How alerts differ from `wanted` for these series; empty if they do not.

        Series are in promtool's notation, with one sample a minute. An alert must not fire a minute
        earlier.
        """
        asked = [
            {"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": expected}
            for alert in wanted
            for minute, expected in ((alert.minutes - 1, []), (alert.minutes, [_expected(alert)]))
        ]
        values = [{"series": name, "values": samples} for name, samples in series.items()]
        test = {"interval": "1m", "input_series": values, "alert_rule_test": asked}
        self._file("rules.json", rules)
        tests = {"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": [test]}
        return self._run("test", "rules", self._file("tests.json", tests))

    def _file(self, name: str, content: Rules) -> Path:
        file = self._folder / name
        file.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
        return file

    def _run(self, *arguments: str | Path) -> str:
        done = subprocess.run([self._program, *arguments], capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert bool(done.returncode) == ("FAILED" in said), said
        return said if done.returncode else ""


def _expected(alert: Alert) -> dict[str, Any]:
    runbook = {"runbook_url": alert.runbook} if alert.runbook else {}
    annotations = {"summary": alert.summary, **runbook}
    return {"exp_labels": alert.labels, "exp_annotations": annotations}


def promtool_in(folder: Path) -> Promtool:
    """The pinned one, with its files in this folder."""
    return Promtool(pinned.cached(pinned.PROMETHEUS, None) / "bin" / "promtool", folder)


def with_expressions(rules: Rules, change: Callable[[str], str]) -> Rules:
    """The rules with each expression changed."""
    changed = deepcopy(dict(rules))
    groups: Sequence[Any] = changed["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        rule["expr"] = change(rule["expr"])
    return changed
