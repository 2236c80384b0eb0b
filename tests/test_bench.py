"""The measurement of what the platform costs, and the teams that it uses."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bench.__main__ as command
from bench import checkouts, generated_teams, helm
from bench.measure import Cost, FailedError, interleaved, run
from bench.measured_row import MeasuredRow, comparison
from bench.page import page
from bench.previews import Preview, preview
from bench.rows import reach
from cli.__main__ import main as sre
from tests.documented import unused_keys
from tests.program import KEYS, as_yaml, read_yaml

pytestmark = pytest.mark.commands

SLOW = MeasuredRow("validate", "parsing", "9.0 s", "2.0 s", reached=4.5, limit=4)
QUICK = MeasuredRow("start", "nothing", "0.3 s", "0.1 s", reached=0.2, limit=0.5, unit="s more")
FIGURE = MeasuredRow("render", "Helm", "2 s", "30 s", reached=15, limit=None, unit="times faster")


def _written(folder: Path, count: int, seed: int = 0) -> dict[str, str]:
    return {
        file.name: file.read_text()
        for file in generated_teams.write_teams(folder, count, seed=seed)
    }


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    first = _written(tmp_path / "first", 5, seed=7)
    assert first == _written(tmp_path / "second", 5, seed=7)
    assert first.keys() == {f"team-000{number}.yaml" for number in range(5)}


def test_another_seed_writes_other_files(tmp_path: Path) -> None:
    first, second = (_written(tmp_path / str(seed), 3, seed) for seed in (1, 2))
    assert not first.items() & second.items()


def test_a_pair_of_teams_is_the_same_in_a_larger_fleet(tmp_path: Path) -> None:
    few, many = _written(tmp_path / "few", 4), _written(tmp_path / "many", 30)
    assert few.items() <= many.items()


def test_teams_call_each_other_in_pairs(tmp_path: Path) -> None:
    teams = [read_yaml(text) for text in _written(tmp_path, 3).values()]
    called, calling = ([_other_teams(team, key) for team in teams] for key in ("callers", "calls"))
    assert called == calling == [{"team-0001"}, {"team-0000"}, set()]


def _other_teams(team: dict[str, Any], key: str) -> set[str]:
    return {each["team"] for app in team["apps"] for each in app.get(key, ()) if "team" in each}


def test_archetypes_alternate(tmp_path: Path) -> None:
    (file,) = generated_teams.write_teams(tmp_path, 1, apps=4)
    archetypes = [app["archetype"] for app in read_yaml(file.read_text())["apps"]]
    assert archetypes == ["web-app", "worker", "cronjob", "web-app"]


@pytest.mark.parametrize(("seed", "teams"), [*enumerate((60, 61, 1, 2, 9))])
def test_no_team_has_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, teams: int
) -> None:
    generated_teams.write_teams(tmp_path, teams, apps=4, seed=seed)
    assert sre(["validate", "--tenants", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("seed", range(5))
def test_a_few_teams_contain_every_key_that_many_apps_need(tmp_path: Path, seed: int) -> None:
    files = generated_teams.write_teams(tmp_path, 6, seed=seed)
    assert unused_keys([*files, *KEYS]) == []


def test_a_run_reports_what_the_program_used() -> None:
    # From a small process: the memory of whoever asks counts.
    program = "print(len(b'x' * 200_000_000))"
    asked = f"from bench.measure import PYTHON, run; print(run(PYTHON, '-c', {program!r}))"
    cost, printed = eval(run(sys.executable, "-c", asked)[1], {"Cost": Cost})
    assert printed == "200000000\n"
    assert 190 < cost.peak < 250
    assert 0 < cost.cpu < cost.wall + 1


def test_what_outlives_the_program_counts_once_it_ends() -> None:
    works = "import time\nwhile time.process_time() < 0.3: pass"
    leaves = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {works!r}])"
    assert run(sys.executable, "-c", leaves)[0].cpu > 0.3


def test_a_program_that_fails_is_reported_with_its_last_line() -> None:
    with pytest.raises(FailedError, match="no more"):
        run(sys.executable, "-c", "raise SystemExit('no more')")


def test_runs_alternate_and_the_medians_are_reported() -> None:
    order = []

    def took(name: str, *walls: float) -> Iterator[Cost]:
        for wall in walls:
            order.append(name)
            yield Cost(wall, cpu=2 * wall, peak=1)

    ours, theirs = took("ours", 1, 9, 2), took("theirs", 5, 5, 6)
    medians = interleaved(3, lambda: next(ours), lambda: next(theirs))
    assert order == ["ours", "theirs"] * 3
    assert medians == (Cost(2, 4, 1), Cost(5, 10, 1))


def test_the_table_shows_figures_and_whether_they_meet_their_limits() -> None:
    assert comparison([SLOW, QUICK, FIGURE]).splitlines() == [
        "| What     | Against | Ours  | Theirs | Reached         | Must reach   | Met    |",
        "| -------- | ------- | ----- | ------ | --------------- | ------------ | ------ |",
        "| validate | parsing | 9.0 s | 2.0 s  | 4.5 times       | ≤ 4 times    | **no** |",
        "| start    | nothing | 0.3 s | 0.1 s  | 0.2 s more      | ≤ 0.5 s more | yes    |",
        "| render   | Helm    | 2 s   | 30 s   | 15 times faster | -            | -      |",
    ]


def test_the_page_shows_what_each_preview_used() -> None:
    ours = Preview(10.0, 6.0, 5.0, peak=1500, engine_peak=700, resources=1000)
    bare = Preview(9.0, 5.0, 5.0, peak=900, engine_peak=700, resources=900)
    text = page([SLOW], {100: (ours, bare)}, "| Part |", "| Step |", load=0.5, helm_apps=50)
    assert comparison([SLOW]) in text
    line = next(line for line in text.splitlines() if line.startswith("| 100 "))
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        "100", "ours", "1,000", "10.0 s", "10.0 ms", "6.0 s", "1,500 MiB", "5.0 s", "700 MiB",
    ]  # fmt: skip


def _run_quickly(monkeypatch: pytest.MonkeyPatch, *rows: MeasuredRow) -> int:
    monkeypatch.setattr(command, "measured_quickly", lambda work: iter(rows))
    monkeypatch.setattr(sys, "argv", ["bench", "--quick"])
    return command.main()


def test_a_row_that_is_far_off_fails_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    far_off = MeasuredRow("validate", "parsing", "22.0 s", "2.0 s", reached=11, limit=4)
    assert _run_quickly(monkeypatch, far_off, QUICK) == 1
    assert capsys.readouterr().err.splitlines()[2:] == [
        "validate: 11 times (22.0 s against 2.0 s, parsing); must be at most 4, "
        "with room for noise 2.5 times that"
    ]


def test_a_row_that_is_off_by_noise_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run_quickly(monkeypatch, SLOW, FIGURE) == 0


def test_the_whole_run_allows_no_noise(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.verdict([SLOW, QUICK, FIGURE], noise=1) == 1
    assert capsys.readouterr().err.splitlines() == [
        "validate: 4.5 times (9.0 s against 2.0 s, parsing); must be at most 4",
    ]


def test_an_extra_resource_is_not_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    change = MeasuredRow("change", "inputs", "9", "8", reached=1, limit=0, unit="resources off")
    assert _run_quickly(monkeypatch, change) == 1


def test_a_quick_run_writes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RESULTS", Path("/nowhere/results.md"))
    assert _run_quickly(monkeypatch, QUICK) == 0


def test_helm_must_create_what_render_creates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = generated_teams.write_teams(tmp_path / "tenants", 1, apps=1)
    app = read_yaml(file.read_text())["apps"][0]["app"]["name"]
    rendered = tmp_path / "rendered" / "kubernetes" / "team-0000"
    rendered.mkdir(parents=True)
    for kind, name in (("Service", app), ("Deployment", app), ("Namespace", "team-0000")):
        labels = {"app.kubernetes.io/name": name}
        document = {"kind": kind, "metadata": {"name": name, "labels": labels}}
        (rendered / f"{kind}.yaml").write_text(as_yaml(document))
    program = tmp_path / "path" / "helm"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\n[ $1 = version ] && echo v9.0.0 || cat {rendered}/Service.yaml\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(FailedError, match=f"different objects for {app}: Deployment {app}$"):
        helm.seconds_an_app(tmp_path, tmp_path / "tenants", tmp_path / "rendered", apps=1)


def test_reach_is_measured_on_a_fleet_whose_teams_call_each_other(tmp_path: Path) -> None:
    rows = reach(tmp_path, few=2, many=4)
    assert [row.unit for row in rows] == ["s", "MiB", "times"]
    assert "4 teams of 3 apps, 144 edges" in rows[0].what
    assert "authorization: enforce" in (tmp_path / "reach" / "Pulumi.dev.yaml").read_text()


@pytest.mark.engine
def test_the_bare_program_registers_all_but_the_components(tmp_path: Path) -> None:
    folder = checkouts.recorded(checkouts.all_teams(tmp_path, 2))
    components = 1 + 2 + 2 * 3  # the platform, the teams and their apps
    assert preview(folder)().resources == preview(folder, "bare")().resources + components
