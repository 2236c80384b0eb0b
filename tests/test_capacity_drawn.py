"""Teams that hypothesis generates: their sums and messages, against a second computation."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from specs.load import TeamFile, load_team
from tests.drawn import lets_go, proxies, teams
from tests.ledger import RESOURCES, App, Ledger, autoscaling, value
from tests.written import settings

pytestmark = pytest.mark.commands

File = dict[str, Any]
Proxy = dict[str, Any] | None

_MEBIBYTE = 2**20

a_team = hypothesis.given(proxies().flatmap(lambda proxy: st.tuples(teams(proxy), st.just(proxy))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tenants")


def load(folder: Path, file: File, proxy: Proxy) -> TeamFile:
    path = folder / "team-alpha.yaml"
    path.write_text(json.dumps(file))
    istio = {"istio": {"proxy": proxy} if proxy else {}}
    return load_team(path, path.name, settings(**istio))


def short(loaded: TeamFile) -> dict[str, Any]:
    """The problems by the resource that is too small; there are no others."""
    return {
        re.findall(r", over quota\.(\S+) ", problem.message)[0]: problem
        for problem in loaded.problems
    }


@a_team
def test_sums_are_those_of_pods_counted_one_by_one(folder: Path, team: tuple[File, Proxy]) -> None:
    file, proxy = team
    loaded, ledger = load(folder, file, proxy), Ledger(file, proxy)
    sums = loaded.capacity
    assert sums
    for moment in ("rest", "rollout", "needed", "full"):
        counted = getattr(ledger, moment)()
        for resource, amount in zip(RESOURCES, getattr(sums, moment), strict=True):
            unit = Fraction(1, 1000) if resource.endswith("cpu") else 1
            assert amount * unit == counted[resource], (moment, resource)


@a_team
def test_what_cannot_run_or_roll_out_is_reported_and_nothing_else(
    folder: Path, team: tuple[File, Proxy]
) -> None:
    file, proxy = team
    ledger = Ledger(file, proxy)
    needed = ledger.needed()
    over = {resource for resource in RESOURCES if needed[resource] > ledger.quota(resource)}
    assert short(load(folder, file, proxy)).keys() == over


FIGURES = re.compile(
    r"the team's apps request (?P<rest>\S+)( pods?| services?)? at rest"
    r"( and (?P<needed>\S+) while app-(?P<moving>\d+) (?P<moves>runs|rolls out))?, "
    r"over quota\.(?P<resource>\S+) (?P<quota>\S+)"
    r"( \(a pod of app-(?P<asking>\d+) takes (?P<pod>\S+), including its sidecar\))?; "
)


@a_team
def test_each_reported_figure_is_right(folder: Path, team: tuple[File, Proxy]) -> None:
    file, proxy = team
    ledger = Ledger(file, proxy)
    rest, needed = ledger.rest(), ledger.needed()
    for resource, problem in short(load(folder, file, proxy)).items():
        found = FIGURES.match(problem.message)
        assert found
        asking = index_in(problem.path)
        asked = [app.most(resource) for app in ledger.apps]
        assert asked[asking] == max(asked)
        assert value(found["rest"]) == rest[resource]
        assert value(found["quota"]) == ledger.quota(resource)
        assert (found["needed"] is None) == (rest[resource] == needed[resource])
        if found["needed"]:
            moving = ledger.apps[int(found["moving"])]
            archetype = file["apps"][int(found["moving"])]["archetype"]
            assert value(found["needed"]) == needed[resource]
            assert rest[resource] + moving.beside * moving.pod[resource] == needed[resource]
            assert found["moves"] == ("runs" if archetype == "cronjob" else "rolls out")
        if "." in resource:
            assert int(found["asking"]) == asking
            assert value(found["pod"]) == ledger.apps[asking].pod[resource]


def index_in(path: str) -> int:
    """The app that a key path leads into."""
    return int(re.findall(r"^apps\[(\d+)\]", path)[0])


FIX = re.compile(
    r"; ((?:lower|set) (?P<key>\S+) to (?P<less>\S+), or )?raise (?P<quota>\S+) to (?P<more>\S+)"
)


def fixes(problem: Any) -> Iterator[tuple[str, str, str, int]]:
    """For each recommended change: the key, the amount, and one that is a unit smaller."""
    found = FIX.search(problem.message)
    assert found
    assert problem.message.endswith(found[0])
    key, less, quota, more = found["key"], found["less"], found["quota"], found["more"]
    yield quota, more, unit_of(quota), -1
    if key:
        path = problem.path if key == "it" else f"{problem.path.partition('.')[0]}.{key}"
        yield path, less, unit_of(path), 1


def unit_of(path: str) -> str:
    return {"cpu": "1m", "memory": "1Mi" if "apps" in path else "1"}.get(
        path.rpartition(".")[2], "1"
    )


def changed(file: File, path: str, amount: str | Fraction) -> File:
    """The file with one amount changed."""
    file = deepcopy(file)
    *above, key = re.findall(r"\w+", path)
    inner: Any = file
    for part in above:
        inner = inner[int(part)] if part.isdigit() else inner.setdefault(part, {})
    counted = key.endswith(("eplicas", "parallelism", "pods", "services"))
    inner[key] = int(amount) if counted else written(amount)
    return file


def written(amount: str | Fraction) -> str:
    return amount if isinstance(amount, str) else f"{amount * 1000}m" if amount % 1 else str(amount)


@a_team
def test_each_recommended_change_is_the_smallest_that_suffices(
    folder: Path, team: tuple[File, Proxy]
) -> None:
    file, proxy = team
    for resource, problem in short(load(folder, file, proxy)).items():
        for path, amount, unit, back in fixes(problem):
            assert value(amount) % value(unit) == 0
            told = changed(file, path, amount)
            assert resource not in short(load(folder, told, proxy)), (path, amount)
            less = changed(file, path, value(amount) + back * value(unit))
            # For each value only the first problem is reported, such as a request over its limit.
            assert any(
                f" over quota.{resource} " in each.message or each.path == path
                for each in load(folder, less, proxy).problems
            ), (path, amount)


@a_team
def test_once_all_recommended_changes_are_made_nothing_is_wrong(
    folder: Path, team: tuple[File, Proxy]
) -> None:
    file, proxy = team
    problems = short(load(folder, file, proxy)).values()
    for choice in (0, -1):
        told = [list(fixes(problem))[choice] for problem in problems]
        repaired = file
        # Of two numbers for one key the lower one is enough for both: it comes last.
        for path, amount, *_ in sorted(told, key=lambda fix: value(fix[1]), reverse=True):
            repaired = changed(repaired, path, amount)
        assert load(folder, repaired, proxy).problems == ()


@a_team
def test_a_raise_alone_is_recommended_only_where_nothing_less_would_do(
    folder: Path, team: tuple[File, Proxy]
) -> None:
    file, proxy = team
    for resource, problem in short(load(folder, file, proxy)).items():
        if "lower" in problem.message or "set it" in problem.message or resource == "services":
            continue
        index = index_in(problem.path)
        for less in lowered(file, index, resource, Ledger(file, proxy).apps[index]):
            ledger = Ledger(less, proxy)
            assert ledger.needed()[resource] > ledger.quota(resource), less["apps"][index]


def lowered(file: File, index: int, resource: str, app: App) -> Iterator[File]:
    """The file with as little as may be of the resource for an app, then with fewer pods."""
    entry = file["apps"][index]
    kind, _, name = resource.partition(".")
    if name:
        smallest = "1m" if name == "cpu" else "1Mi"
        least = value(file["limitRange"]["min"][name] or smallest)
        if kind == "limits":
            least = app.own[f"requests.{name}"]
        if name == "memory":
            least = Fraction(ceil(least / _MEBIBYTE) * _MEBIBYTE)
        yield changed(file, f"apps[{index}].app.resources.{resource}", least)
    if entry["archetype"] == "cronjob":
        for pods in range(1, app.beside):
            yield changed(file, f"apps[{index}].schedule.parallelism", Fraction(pods))
    else:
        for pods in range(1, app.rest):
            if lets_go(entry["podDisruptionBudget"], pods):
                scaled = autoscaling(entry)["enabled"]
                key = "autoscaling.minReplicas" if scaled else "app.replicas"
                yield changed(file, f"apps[{index}].{key}", Fraction(pods))


PODS = r"only (?P<pods>\d+) of (?P<all>\d+) (replicas|runs at once|pods of its runs) fit"
WARNING = re.compile(
    rf"({PODS}|its run does not fit) beside the other apps at (?P<others>rest|full scale); "
    r"((lower it to \d+|set it to Forbid)(?P<theirs> and lower theirs)?, or )?raise .*, the full "
    "scale of all apps"
)


def warned(loaded: TeamFile) -> dict[int, dict[str, Any]]:
    """For each app that a warning is about: how many of its pods fit beside what of the others."""
    told = {}
    for warning in loaded.warnings:
        if "full scale" not in warning.message:  # it is of another rule
            continue
        found = WARNING.fullmatch(warning.message)
        assert found
        told[index_in(warning.path)] = found.groupdict()
    return told


@a_team
def test_of_full_scale_as_many_pods_fit_as_reported_and_one_more_does_not(
    folder: Path, team: tuple[File, Proxy]
) -> None:
    file, proxy = roomy(*team)
    told, ledger = warned(load(folder, file, proxy)), Ledger(file, proxy)
    alone = {index: ledger.fitting(index, {}) for index in range(len(ledger.apps))}
    out_of_reach = {index for index, pods in alone.items() if pods < ledger.apps[index].full}
    if out_of_reach or ledger.full_scale_fits():
        assert told.keys() == out_of_reach
    else:
        assert len(told) == 1
    full = {index: app.full for index, app in enumerate(ledger.apps)}
    for index, said in told.items():
        at_rest = said["others"] == "rest"
        assert at_rest == bool(out_of_reach)
        fitting = alone[index] if at_rest else ledger.fitting(index, full)
        assert int(said["pods"] or 0) == fitting
        assert int(said["all"] or 1) == ledger.apps[index].full


@a_team
def test_once_all_apps_are_scaled_down_as_recommended_full_scale_fits(
    folder: Path, team: tuple[File, Proxy]
) -> None:
    file, proxy = roomy(*team)
    for index, said in warned(load(folder, file, proxy)).items():
        if said["others"] == "full scale" and said["pods"] and not said["theirs"]:
            scaled_down(file["apps"][index], int(said["pods"]))
            assert warned(load(folder, file, proxy)) == {}


def scaled_down(entry: File, pods: int) -> None:
    if entry["archetype"] == "cronjob":
        entry["schedule"]["concurrencyPolicy"] = "Forbid"
    else:
        entry["autoscaling"] = {"minReplicas": 2, **entry.get("autoscaling", {})}
        entry["autoscaling"] |= {"enabled": True, "maxReplicas": pods}


def roomy(file: File, proxy: Proxy) -> tuple[File, Proxy]:
    """With a quota that suffices at least to run and to roll out."""
    ledger = Ledger(file, proxy)
    for resource, needed in ledger.needed().items():
        if needed > ledger.quota(resource):
            file = changed(file, f"quota.{resource}", needed)
    return file, proxy
