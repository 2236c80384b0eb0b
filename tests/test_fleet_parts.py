"""`./sre fleet`: which stacks it runs, in which order, and what it reports; no engine runs."""

import errno
import fcntl
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock
from xml.etree import ElementTree

import pytest
from pulumi.automation import CommandError, CommandResult

from binaries.cli_process import CliProcess, Signals
from binaries.console import UserError
from cli.__main__ import main
from cli.fleet import _take
from tests.program import ROOT
from tools.fleet import journal, processes, room, update
from tools.fleet.backend import existing
from tools.fleet.checks import command, nothing
from tools.fleet.credentials import Credentials
from tools.fleet.inputs import Inputs
from tools.fleet.journal import Journal
from tools.fleet.log import Log
from tools.fleet.operation import Kind, Operation, Run
from tools.fleet.outcome import StackResult, not_run
from tools.fleet.processes import Processes
from tools.fleet.progress import Progress
from tools.fleet.report import FORMATS
from tools.fleet.selection import selected
from tools.fleet.update import UPDATED_BEFORE, Order, Update
from tools.fleet.waves import check_shares, waves
from tools.review import affected
from tools.review.outcome import Outcome

STACKS = ["platform", "dev", "team-alpha", "team-beta", "team-gamma"]
CLUSTERS = {"team-0": "prod-eu", "team-1": "prod-us"}
TEAMS = [f"team-{number}" for number in range(10)]

RESULTS = [
    StackResult("a", Outcome.CHANGED, {"create": 2, "outputs": 1}, seconds=1.5),
    StackResult("b", Outcome.UNCHANGED, seconds=2),
    StackResult("c", Outcome.REFUSED, messages=("tenants/c.yaml:1:1: team: is <wrong> | fix it",)),
    StackResult("d", Outcome.FAILED, messages=("no answer",)),
    not_run("e", "interrupted"),
]

Operate = Callable[[Operation], StackResult]


# Which stacks


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ["platform", "team-alpha", "team-beta", "team-gamma"]),
        (["team-*"], ["team-alpha", "team-beta", "team-gamma"]),
        (["team-gamma", "platform"], ["platform", "team-gamma"]),
        (["*"], ["platform", "team-alpha", "team-beta", "team-gamma"]),
        (["dev"], ["dev"]),
    ],
)
def test_names_and_patterns_select_stacks_and_the_sandboxs_only_by_name(
    patterns: list[str], names: list[str]
) -> None:
    assert selected(STACKS, patterns) == names


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("team-alhpa", "no stack 'team-alhpa'; did you mean team-alpha?"),
        ("x*", "no stack 'x*'; use one of: platform, dev, team-alpha, team-beta, team-gamma"),
    ],
)
def test_a_pattern_that_selects_nothing_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        selected(STACKS, ["team-*", pattern])
    assert str(error.value).startswith(message)


def test_without_any_stack_there_is_none_to_propose() -> None:
    with pytest.raises(ValueError, match=r"^no stack 'x'; create one: \./sre new --help$"):
        selected([], ["x"])


def test_not_all_of_a_thousand_stacks_are_proposed() -> None:
    with pytest.raises(ValueError, match=r"use one of: team-0, .*team-9, \.\.\.$"):
        selected([f"team-{number}" for number in range(1000)], ["x"])


def test_a_run_reads_the_file_of_each_stack_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stack in ("a", "b"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text("config:\n  sre-platform:teams: []\n")
    for module in ("cli.fleet", "cli.fleet_options"):
        monkeypatch.setattr(f"{module}.ROOT", tmp_path)
    monkeypatch.setattr("tools.fleet.backend.prepared_cli", mock.Mock())
    monkeypatch.setattr("tools.fleet.preload.preload", lambda: None)
    monkeypatch.setattr(Update, "run", lambda *given: [])
    reading = mock.Mock(side_effect=affected.stack_config)
    monkeypatch.setattr(affected, "stack_config", reading)
    assert main(["fleet", "up", "--logs", str(tmp_path)]) == 0
    assert [call.args[1] for call in reading.call_args_list] == ["a", "b"]


# In which order


def test_the_platform_goes_first_then_canaries_then_shares_of_the_others() -> None:
    found = waves(["platform", *TEAMS], ["platform"], ["team-4"], ["1", "50%", "rest"])
    assert [len(wave) for wave in found] == [1, 1, 1, 5, 3]
    assert found[:3] == [["platform"], ["team-4"], ["team-0"]]
    assert sorted(stack for wave in found for stack in wave) == sorted(["platform", *TEAMS])


def test_what_the_shares_leave_over_is_the_last_wave() -> None:
    assert [len(wave) for wave in waves(TEAMS, [], [], ["2", "10%"])] == [2, 1, 7]


def test_shares_beyond_the_stacks_make_no_empty_wave() -> None:
    assert waves(["a"], [], [], ["5", "10%", "rest"]) == [["a"]]


@pytest.mark.parametrize("share", ["0", "0%", "101%", "-1", "1.5", "", "all", "1 %"])
def test_a_share_is_a_number_a_percentage_or_the_rest(share: str) -> None:
    with pytest.raises(ValueError, match="must be a number of stacks, a percentage or 'rest'"):
        check_shares(["1", share])


def test_the_rest_comes_last() -> None:
    check_shares(["1", "100%", "rest"])
    with pytest.raises(ValueError, match="'rest' must be the last wave"):
        check_shares(["rest", "1"])


# What is reported


def test_the_table_has_a_row_per_stack_and_the_messages_below() -> None:
    lines = FORMATS["table"](Kind.PREVIEW, RESULTS).splitlines()
    assert lines[1].split() == ["a", "changed", "1.5", "s", "2", "create,", "outputs"]
    assert "  tenants/c.yaml:1:1: team: is <wrong> | fix it" in lines
    total = "5 stacks, preview: 1 unchanged, 1 changed, 1 refused, 1 failed, 1 not run"
    assert lines[-1] == total


def test_json_has_all_that_is_known_of_each_stack() -> None:
    report = json.loads(FORMATS["json"](Kind.UP, RESULTS))
    assert report["command"] == "up"
    assert report["totals"] == dict.fromkeys(
        ["unchanged", "changed", "refused", "failed", "not run"], 1
    )
    assert report["stacks"][0] == {
        "stack": "a",
        "outcome": "changed",
        "changes": {"create": 2, "outputs": 1},
        "seconds": 1.5,
        "messages": [],
    }


def test_markdown_shows_messages_as_text() -> None:
    text = FORMATS["markdown"](Kind.PREVIEW, RESULTS)
    assert "| a | changed | 1.5 s | 2 create, outputs |" in text
    assert "\n    tenants/c.yaml:1:1: team: is <wrong> | fix it\n" in text


def test_a_file_that_changes_during_the_wait_for_another_run_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.fleet.ROOT", tmp_path)
    code = tmp_path / "specs/team.py"
    code.parent.mkdir()
    code.touch()

    texts = iter(["", "changed"])

    def take(lock: Any, how: int) -> None:
        if how & fcntl.LOCK_NB:
            raise BlockingIOError
        code.write_text(next(texts))

    monkeypatch.setattr(fcntl, "flock", take)
    _take(mock.Mock(), [])
    with pytest.raises(UserError, match=r"specs/team\.py has changed during the wait"):
        _take(mock.Mock(), [])


@pytest.mark.parametrize("form", FORMATS)
def test_no_message_commands_a_terminal_or_breaks_a_report(form: str) -> None:
    message = "\033[31mred\033[0m \033]0;title\a\0 \udcff\u202e two\r\nlines"
    text = FORMATS[form](Kind.UP, [StackResult("a", Outcome.FAILED, messages=(message,))])
    assert "red ?]0;title?? ?? two lines" in text
    if form == "junit":
        ElementTree.fromstring(text)


@pytest.mark.parametrize(("kind", "failures"), [(Kind.PREVIEW, ["c"]), (Kind.DRIFT, ["a", "c"])])
def test_junit_has_a_case_per_stack_and_drift_is_a_failure(kind: Kind, failures: list[str]) -> None:
    suite = ElementTree.fromstring(FORMATS["junit"](kind, RESULTS))
    found = {
        tag: [case.get("name") for case in suite if case.find(tag) is not None]
        for tag in ("failure", "error", "skipped")
    }
    assert found == {"failure": failures, "error": ["d"], "skipped": ["e"]}
    assert suite.findtext("testcase[@name='b']/system-out") == "unchanged"
    totals = (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped"))
    assert totals == ("5", str(len(failures)), "1", "1")


def test_a_run_of_no_stacks_says_so() -> None:
    assert FORMATS["table"](Kind.PREVIEW, []) == "No stacks.\n"


@pytest.fixture
def up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], list[str]]:
    """`up(options)`: what `./sre fleet up` of team-alpha, which fails, prints beside the report."""
    stack = mock.Mock()
    stack.name = "team-alpha"
    monkeypatch.setattr("cli.fleet.selected_stacks", lambda *given: [stack])
    monkeypatch.setattr("cli.fleet._processes", mock.MagicMock())
    monkeypatch.setattr(Update, "run", lambda *given: RESULTS[4:])

    def run(options: str) -> list[str]:
        main(["fleet", "up", *shlex.split(options)])
        return capsys.readouterr().err.splitlines()

    return run


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--canary 'team-*' --waves 1,10%,rest --check 'exit 1' --max-failures 3 --refresh",
        "--pause 5 --healthy",
    ],
)
def test_an_update_names_the_command_that_continues_with_the_same_options(
    up: Callable[[str], list[str]], options: str
) -> None:
    assert up(options)[0] == f"To continue: ./sre fleet up --resume {options}".rstrip()


def test_no_pause_can_be_asked_for(up: Callable[[str], list[str]]) -> None:
    assert up("--pause 0")[0] == "To continue: ./sre fleet up --resume"


def test_a_run_that_fails_names_the_folder_of_its_logs(
    up: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert up("")[-1] == "Logs: .fleet/logs/up"
    assert up("--logs results")[-1] == "Logs: results"


def test_a_canary_that_is_not_among_the_stacks_is_said(up: Callable[[str], list[str]]) -> None:
    assert up("--canary platform")[0] == "None of the canaries is among the stacks."
    (error,) = up("--canary platfrom")
    assert error == "./sre fleet: error: no stack 'platfrom'; did you mean platform?"


def test_the_command_reports_drift_as_a_failure_in_junit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cli.fleet.selected_stacks", lambda *given: [])
    monkeypatch.setattr("cli.fleet._processes", mock.MagicMock())
    monkeypatch.setattr("cli.fleet._drift", lambda *given: (RESULTS[:1], 2))
    main(["fleet", "drift", "--format", "junit"])
    suite = ElementTree.fromstring(capsys.readouterr().out)
    assert suite.get("failures") == "1"


# How operations run


@pytest.fixture
def run_with(tmp_path: Path) -> Iterator[Callable[..., Processes]]:
    """`run_with(operate, ...)`: processes in which that takes the place of Pulumi."""
    with (tmp_path / "lock").open("w") as lock, mock.patch.object(processes, "Run") as run:

        def make(operate: Operate, parallel: int = 2, timeout: float = 60) -> Processes:
            run.return_value.operate = operate
            cli: Any = mock.Mock()
            return Processes(
                tmp_path,
                cli,
                lock,
                logs=tmp_path,
                parallel=parallel,
                timeout=timeout,
                progress=Progress(StringIO()),
                credentials=Credentials(CLUSTERS),
                ready=lambda stack: stack != "team-1",
            )

        yield make


def previews(stacks: Sequence[str], refresh: bool = False) -> list[Operation]:
    return [Operation(Kind.PREVIEW, stack, refresh) for stack in stacks]


def changed(operation: Operation) -> StackResult:
    return StackResult(operation.stack, Outcome.CHANGED, {"update": 1})


def hang() -> NoReturn:
    """Until a signal; `signal.pause` would miss one that came just before."""
    while True:
        time.sleep(0.01)


def test_results_come_in_the_order_of_the_stacks(run_with: Callable[..., Processes]) -> None:
    with run_with(changed, parallel=3) as runner:
        results = runner.run(previews(TEAMS))
    assert [result.stack for result in results] == TEAMS
    assert {result.outcome for result in results} == {Outcome.CHANGED}


def test_no_more_than_so_many_run_at_a_time(
    run_with: Callable[..., Processes], tmp_path: Path
) -> None:
    folder = tmp_path / "running"
    folder.mkdir()

    def operate(operation: Operation) -> StackResult:
        mine = folder / operation.stack
        mine.touch()
        others = len(list(folder.iterdir()))
        mine.unlink()
        return StackResult(operation.stack, Outcome.CHANGED, {"update": others})

    with run_with(operate, parallel=3) as runner:
        results = runner.run(previews(TEAMS))
    assert max(result.changes["update"] for result in results) <= 3


def test_without_room_for_another_process_its_stack_fails_and_the_others_go_on(
    run_with: Callable[..., Processes], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    forks = iter([os.fork, mock.Mock(side_effect=full), os.fork])
    monkeypatch.setattr(os, "fork", lambda: next(forks)())
    open_before = len([*Path("/proc/self/fd").iterdir()])
    with run_with(changed) as runner:
        first, second, third = runner.run(previews(TEAMS[:3]))
    assert (first.outcome, third.outcome) == (Outcome.CHANGED, Outcome.CHANGED)
    assert second.outcome is Outcome.FAILED
    assert second.messages[0].startswith("no process could be started: Resource temporarily")
    assert len([*Path("/proc/self/fd").iterdir()]) == open_before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT, signal.SIGTERM}


def test_a_process_that_is_killed_is_a_failure_that_says_how_to_remove_a_lock(
    run_with: Callable[..., Processes],
) -> None:
    def operate(operation: Operation) -> StackResult:
        if operation.stack == "team-1":
            os.kill(os.getpid(), signal.SIGKILL)
        return changed(operation)

    with run_with(operate) as runner:
        operations = [Operation(Kind.UP, stack) for stack in TEAMS[:3]]
        first, second, third = runner.run(operations)
    assert (first.outcome, third.outcome) == (Outcome.CHANGED, Outcome.CHANGED)
    assert second.outcome is Outcome.FAILED
    assert second.messages[0] == "its process was killed (SIGKILL)"
    assert "pulumi cancel --yes --stack team-1" in second.messages[1]


def test_a_stack_that_hangs_is_interrupted_in_time_and_the_others_run(
    run_with: Callable[..., Processes],
) -> None:
    def operate(operation: Operation) -> StackResult:
        if operation.stack == "team-0":
            hang()
        return changed(operation)

    with run_with(operate, timeout=0.2) as runner:
        hung, other = runner.run(previews(["team-0", "team-2"]))
    assert (hung.outcome, hung.messages) == (Outcome.FAILED, ("not done after 0.2 s (--timeout)",))
    assert other.outcome is Outcome.CHANGED


def test_one_that_ignores_signals_is_killed(
    run_with: Callable[..., Processes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_GRACE", 0.1)

    def operate(operation: Operation) -> StackResult:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        hang()

    with run_with(operate, timeout=0.1) as runner:
        (stubborn,) = runner.run([Operation(Kind.UP, "team-0")])
    assert stubborn.outcome is Outcome.FAILED
    late, why, what_to_do = stubborn.messages
    assert late == "not done after 0.1 s (--timeout)"
    assert why == "its process was killed (SIGKILL)"
    assert "pulumi cancel --yes --stack team-0" in what_to_do


def test_after_a_signal_nothing_starts_and_what_runs_is_interrupted(
    run_with: Callable[..., Processes],
) -> None:
    def operate(operation: Operation) -> StackResult:
        os.kill(os.getppid(), signal.SIGTERM)
        hang()

    said = StringIO()
    with run_with(operate, parallel=1) as runner:
        runner.progress = Progress(said)
        updates = [Operation(Kind.UP, stack) for stack in TEAMS[:2]]
        first, second = runner.run(updates)
    assert runner.interrupted
    line, *results = said.getvalue().splitlines()
    assert line.startswith("Interrupted: no other stack starts, and running ones finish what is")
    assert [result.partition(":")[0] for result in results] == TEAMS[:2]
    assert first.messages == ("interrupted; its state records what was done",)
    assert (second.outcome, second.messages) == (Outcome.NOT_RUN, ("interrupted",))


def test_a_signal_ends_the_wait_for_another_program(run_with: Callable[..., Processes]) -> None:
    with run_with(changed) as runner:
        with pytest.raises(KeyboardInterrupt), runner.interruptible():
            subprocess.run(["sh", "-c", "kill -TERM $PPID; exec sleep 60"])
        (result,) = runner.run(previews(["team-0"]))
    assert result.messages == ("interrupted",)


def test_children_end_when_the_run_is_killed(
    run_with: Callable[..., Processes], tmp_path: Path
) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"

    def operate(operation: Operation) -> StackResult:
        try:
            started.touch()
            hang()
        finally:
            ended.touch()

    runner = os.fork()
    if runner == 0:
        with run_with(operate) as running:
            running.run(previews(TEAMS[:1]))
        os._exit(0)
    wait_for(started.exists)
    os.kill(runner, signal.SIGKILL)
    os.waitpid(runner, 0)
    wait_for(ended.exists)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stack_gets_the_credentials_of_its_cluster_and_of_no_other(
    run_with: Callable[..., Processes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "of all")
    monkeypatch.setenv("VAULT_TOKEN__PROD_EU", "of one")
    monkeypatch.setenv("HARBOR_PASSWORD__PROD_US", "of the other")

    def operate(operation: Operation) -> StackResult:
        found = [f"{name}={value}" for name, value in os.environ.items()]
        return replace(changed(operation), messages=tuple(found))

    with run_with(operate) as runner:
        results = runner.run(previews(["team-0", "team-1", "team-2"]))
    one, other, none = (
        {line for line in result.messages if line.startswith(("VAULT", "HARBOR"))}
        for result in results
    )
    assert one == {"VAULT_TOKEN=of one"}
    assert other == {"HARBOR_PASSWORD=of the other", "VAULT_TOKEN=of all"}
    assert none == {"VAULT_TOKEN=of all"}


@pytest.mark.parametrize(
    ("variable", "clusters", "found"),
    [
        ("TOKEN__EU", ["eu", "us"], {"TOKEN": "eu"}),
        ("TOKEN__PROD_EU", ["eu", "prod-eu"], {"TOKEN": "prod-eu"}),
        ("TOKEN__PROD__EU", ["eu", "prod--eu"], {"TOKEN": "prod--eu"}),
        ("TOKEN__IDLE", ["eu", "us"], {}),
        ("__EU", ["eu", "us"], {"__EU": "eu us"}),
        ("TOKEN__OF_NONE", ["eu", "us"], {"TOKEN__OF_NONE": "eu us"}),
    ],
)
def test_a_variable_is_for_one_cluster_whatever_the_others_are_called(
    monkeypatch: pytest.MonkeyPatch, variable: str, clusters: list[str], found: dict[str, str]
) -> None:
    monkeypatch.setattr(os, "environ", {variable: "value"})
    credentials = Credentials({cluster: cluster for cluster in clusters}, others=["idle"])
    seen = [(name, cluster) for cluster in clusters for name in credentials.of(cluster)]
    assert seen == [(name, to) for name, those in found.items() for to in those.split()]


def test_a_variable_that_two_clusters_would_have_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clusters = {"team-0": "prod-eu", "team-1": "prod.eu"}
    Credentials(clusters)
    monkeypatch.setenv("VAULT_TOKEN__PROD_EU", "value")
    with pytest.raises(ValueError) as error:
        Credentials(clusters)
    assert str(error.value) == (
        "the variable VAULT_TOKEN__PROD_EU would be both for cluster 'prod-eu' and for 'prod.eu'; "
        "rename one of them"
    )


def test_servers_are_not_read_unless_harbor_answers(run_with: Callable[..., Processes]) -> None:
    with run_with(changed) as runner:
        first, second = runner.run(previews(["team-0", "team-1"], refresh=True))
    assert first.outcome is Outcome.CHANGED
    assert second.outcome is Outcome.FAILED
    assert second.messages[0].startswith("Harbor must answer before the servers are compared")


def test_a_log_that_cannot_be_written_stops_nothing(
    run_with: Callable[..., Processes], tmp_path: Path
) -> None:
    def operate(operation: Operation) -> StackResult:
        print("printed by the program")
        return changed(operation)

    (tmp_path / "team-0.preview.txt").mkdir()
    with run_with(operate) as runner:
        (result,) = runner.run(previews(["team-0"]))
    assert result.outcome is Outcome.CHANGED


def test_a_folder_for_logs_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.fleet.backend.prepared_cli", mock.Mock())
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # a test may run as root
    assert main(["fleet", "preview", "platform", "--logs", str(tmp_path)]) == 1
    error = "./sre fleet: error: {} cannot be written; name another folder (--logs)\n"
    assert capsys.readouterr().err == error.format(tmp_path)
    assert main(["fleet", "preview", "platform", "--logs", "/dev/null/logs"]) == 1
    assert capsys.readouterr().err == error.format("/dev/null/logs")


def test_no_command_writes_into_another_ones_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = mock.Mock(side_effect=UserError("no further"))
    monkeypatch.setattr("cli.fleet._processes", processes)
    for action in ("preview", "up", "drift"):
        main(["fleet", action])
    folders = [call.args[0].logs for call in processes.call_args_list]
    assert folders == [ROOT / ".fleet/logs" / name for name in ("preview", "up", "drift")]


def test_a_finished_log_is_closed(tmp_path: Path) -> None:
    mine = Path("/proc/self/fd")
    before = len([*mine.iterdir()])
    for _ in range(9):
        Log(tmp_path / "log").finish(Kind.PREVIEW, RESULTS[0])
    assert len([*mine.iterdir()]) == before


def test_a_full_disk_stops_nothing() -> None:
    log = Log(Path("/dev/full"))
    log.write("lost")
    log.finish(Kind.UP, RESULTS[2])


def test_a_log_ends_with_the_outcome_and_what_went_wrong(tmp_path: Path) -> None:
    for kind, result, end in [
        (Kind.PREVIEW, RESULTS[3], ["Outcome: failed", "FAILED: no answer"]),
        (Kind.DRIFT, RESULTS[0], ["Outcome: changed", "FAILED: the servers differ"]),
        (Kind.PREVIEW, RESULTS[0], ["Outcome: changed"]),
    ]:
        log = Log(tmp_path / "log")
        log.write("a line")
        log.finish(kind, result)
        assert (tmp_path / "log").read_text().splitlines() == ["a line", *end]


def prints(folder: Path, line: str) -> Any:
    """A CLI that does nothing else, and fails."""
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\nprintf '{line}' >&2; exit 3\n")
    program.chmod(0o755)
    return mock.Mock(command=str(program))


def test_output_that_is_not_utf_8_stops_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    with (tmp_path / "lock").open("w") as lock, Signals() as signals, suppress(CommandError):
        cli = CliProcess(prints(tmp_path, r"one \377\ntwo\n"), lock, signals)
        cli.run([], str(tmp_path), {}, on_error=lines.append)
    assert lines == ["one \N{REPLACEMENT CHARACTER}", "two"]


def test_what_a_backend_says_commands_no_terminal(
    run_with: Callable[..., Processes], tmp_path: Path
) -> None:
    with run_with(changed) as runner:
        runner.cli = prints(tmp_path, r"error: no \033[31mlogin\033[0m for\n\033]0;x\007\n")
        with pytest.raises(UserError) as error:
            existing(runner, ["team-0"])
    assert str(error.value) == (
        "the backend does not list its stacks: no login for ?]0;x?; check PULUMI_BACKEND_URL, or "
        "log in (pulumi login)"
    )


# Room for states


@pytest.mark.parametrize(
    ("free", "backend", "said"),
    [
        (room.LEAST, "file://{folder}", ""),
        (room.LEAST - 1, "file://{folder}", "the backend's disk has 63 MiB left"),
        (room.LEAST - 1, "file://{folder}?metadata=skip", "the backend's disk has 63 MiB left"),
        (0, "s3://states", ""),
        (0, "file://{folder}/nowhere", ""),
    ],
)
@pytest.mark.parametrize("logged_in", [True, False])
def test_a_backend_in_a_folder_needs_room(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    backend: str,
    said: str,
    logged_in: bool,
) -> None:
    def disk_usage(folder: Path) -> Any:
        folder.stat()
        return mock.Mock(free=free)

    url = backend.format(folder=tmp_path)
    monkeypatch.setattr(room.shutil, "disk_usage", disk_usage)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    if logged_in:
        monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
        (tmp_path / "credentials.json").write_text(json.dumps({"current": url}))
    else:
        monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    found = room.without_room()
    assert found.startswith(said)
    assert bool(found) is bool(said)


# New stacks


def test_a_new_stack_is_neither_created_nor_called_changed_if_its_files_are_wrong(
    tmp_path: Path,
) -> None:
    (tmp_path / "Pulumi.new.yaml").write_text("config:\n  sre-platform:cluster: gone\n")
    cli: Any = mock.Mock()
    for kind in (Kind.PREVIEW, Kind.CREATE):
        lines: list[str] = []
        run = Run(tmp_path, cli, lines.append, lambda number: None)
        result = run.operate(Operation(kind, "new", new=True))
        assert result.outcome is Outcome.REFUSED
        assert result.messages == tuple(lines)
        assert "there is no clusters/gone.yaml; add it" in lines[0]
    assert not cli.run.called


def failed(root: Path, kind: Kind, stack: str, said: str) -> StackResult:
    """The result if Pulumi prints that, and fails."""
    failure = CommandError(CommandResult(stdout="", stderr=said, code=255))
    with mock.patch("tools.fleet.operation._Stack") as made:
        made.return_value.preview.side_effect = made.return_value.up.side_effect = failure
        run = Run(root, mock.Mock(), lambda line: None, lambda number: None)
        return run.operate(Operation(kind, stack))


def test_a_file_that_is_not_yaml_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.a.yaml").write_text("config: [\n")
    said = "error: getting stack configuration: invalid YAML file: yaml: line 1"
    result = failed(tmp_path, Kind.PREVIEW, "a", said)
    assert result.outcome is Outcome.REFUSED
    assert result.messages[0].startswith("Pulumi.a.yaml:1:1: (file): ")


def test_what_an_error_kept_from_being_done_is_not_an_error_of_its_own() -> None:
    undone = "error: expected resource operations for urn:pulumi:a::b but none were seen"
    result = failed(ROOT, Kind.UP, "platform", f"error: no answer\n{undone}")
    assert (result.outcome, result.messages) == (Outcome.FAILED, ("no answer",))
    assert failed(ROOT, Kind.UP, "platform", undone).messages[0].startswith("expected resource")


def test_a_preview_says_that_a_stack_is_new() -> None:
    run = Run(ROOT, mock.Mock(), lambda line: None, lambda number: None)
    result = run.operate(Operation(Kind.PREVIEW, "team-alpha", new=True))
    assert result.outcome is Outcome.CHANGED
    assert result.messages[0].startswith("does not exist yet; its first update creates it")


# Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_each_running_stack_has_a_live_line() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.started("a", Kind.UP)
    progress.moved("a", 7)
    progress.tick()
    assert "a: up ... 7 resources" in stream.getvalue()
    progress.ended(RESULTS[0], Kind.UP)
    assert stream.getvalue().endswith("\033[1F\033[Ja: up: changed (1.5 s): 2 create, outputs\n")


def test_live_lines_fit_the_terminal_because_what_has_scrolled_away_cannot_be_erased(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "4")
    stream = Terminal()
    progress = Progress(stream)
    for number in range(9):
        progress.started(f"{number}{'x' * 99}", Kind.UP)
    progress.tick()
    lines = stream.getvalue().splitlines()
    assert [len(line) for line in lines] == [39, 39, 39]
    progress.say("said")
    assert "\033[3F\033[Jsaid\n" in stream.getvalue()


def test_the_work_goes_on_if_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        progress = Progress(stream)
        progress.ended(RESULTS[0], Kind.UP)
        progress.ended(RESULTS[1], Kind.UP)


def test_elsewhere_there_is_a_plain_line_per_result() -> None:
    stream = StringIO()
    progress = Progress(stream)
    progress.started("d", Kind.UP)
    progress.moved("d", 7)
    progress.tick()
    progress.ended(RESULTS[3], Kind.UP)
    progress.ended(StackResult("f", Outcome.UNCHANGED), Kind.CREATE)
    assert stream.getvalue() == "d: up: failed: no answer\nf: create: done\n"


# Updates


class Recorded:
    """Stands in for the processes: every preview shows a change, and updates are listed."""

    root = Path()
    cli = None
    credentials = None
    interrupted = False

    def __init__(self) -> None:
        self.progress = Progress(StringIO())
        self.waves: list[list[str]] = []
        self.created: list[str] = []
        self.results: dict[tuple[Kind, str], Outcome] = {}
        self.during: Callable[[str], None] = lambda stack: None

    def pause(self, seconds: float) -> str:
        return ""

    @staticmethod
    def interruptible() -> AbstractContextManager[None]:
        return nullcontext()

    def run(
        self,
        operations: Sequence[Operation],
        before: Callable[[], str] = str,
        ended: Callable[[StackResult], None] = lambda result: None,
    ) -> list[StackResult]:
        done = []
        ran = []
        for operation in operations:
            stack, kind = operation.stack, operation.kind
            if why := before():
                done.append(not_run(stack, why))
            else:
                ran.append(stack)
                outcome = self.results.get((kind, stack), Outcome.CHANGED)
                done.append(StackResult(stack, outcome, messages=("said",)))
                if kind is Kind.UP:
                    self.during(stack)
            ended(done[-1])
        if ran and operations[0].kind is Kind.UP:
            self.waves.append(ran)
        if ran and operations[0].kind is Kind.CREATE:
            self.created += ran
        return done


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def updated(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, StackResult]]:
    """`updated(stacks, **order)`: the results of an update, by stack."""
    monkeypatch.setattr(update, "existing", lambda *asked: {"team-0", "team-1", "team-2"})
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants/team-0.yaml").write_text("team: team-0\n")

    def run(
        stacks: Sequence[str], resumed: Journal | None = None, **order: Any
    ) -> dict[str, StackResult]:
        usual = Order((), (), shares=["rest"], pause=0, check=nothing, max_failures=1)
        processes: Any = recorded
        file = tmp_path / "journal.json"
        one = Update(
            processes, replace(usual, **order), lambda: Inputs(tmp_path, ["tenants"]), file, False
        )
        return {result.stack: result for result in one.run(stacks, resumed)}

    return run


Updated = Callable[..., dict[str, StackResult]]


def outcomes(results: dict[str, StackResult]) -> list[str]:
    return [str(result.outcome) for result in results.values()]


def test_new_stacks_are_created_and_unchanged_ones_are_not_updated(
    updated: Updated, recorded: Recorded, tmp_path: Path
) -> None:
    recorded.results = {(Kind.PREVIEW, "team-1"): Outcome.UNCHANGED}
    results = updated(["team-1", "team-2", "team-9"])
    assert recorded.created == ["team-9"]
    assert recorded.waves == [["team-2", "team-9"]]
    assert outcomes(results) == ["unchanged", "changed", "changed"]
    assert not (tmp_path / "journal.json").exists()


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED])
def test_nothing_is_updated_if_a_preview_goes_wrong(
    updated: Updated, recorded: Recorded, outcome: Outcome
) -> None:
    recorded.results = {(Kind.PREVIEW, "team-1"): outcome}
    results = updated(["team-0", "team-1", "team-2"])
    assert recorded.waves == []
    assert outcomes(results) == ["not run", str(outcome), "not run"]


def test_as_many_failures_as_allowed_stop_the_run_and_less_do_not(
    updated: Updated, recorded: Recorded
) -> None:
    recorded.results = {(Kind.UP, "team-0"): Outcome.FAILED, (Kind.UP, "team-1"): Outcome.FAILED}
    results = updated(["team-0", "team-1", "team-2"], shares=["1", "1", "rest"], max_failures=2)
    assert recorded.waves == [["team-0"], ["team-1"]]
    assert outcomes(results) == ["failed", "failed", "not run"]
    assert results["team-2"].messages == ("stopped after 2 failures (--max-failures)",)


def test_a_failed_check_between_waves_stops_the_run(updated: Updated, recorded: Recorded) -> None:
    seen: list[Sequence[str]] = []

    def check(stacks: Sequence[str]) -> str:
        seen.append(stacks)
        return "" if len(seen) == 1 else "not healthy"

    results = updated(TEAMS[:3], canaries=["team-2"], shares=["1", "rest"], check=check)
    assert seen == [["team-2"], ["team-0"]]
    assert recorded.waves == [["team-2"], ["team-0"]]
    assert results["team-1"].messages == ("not healthy",)


def test_the_check_gets_only_stacks_that_were_updated(updated: Updated, recorded: Recorded) -> None:
    seen: list[Sequence[str]] = []
    recorded.results = {(Kind.UP, "team-0"): Outcome.FAILED}
    updated(
        TEAMS[:3], shares=["2"], max_failures=2, check=lambda stacks: seen.append(stacks) or "no"
    )
    assert seen == [["team-1"]]


def test_an_interrupted_check_stops_the_run(updated: Updated, recorded: Recorded) -> None:
    check = mock.Mock(side_effect=KeyboardInterrupt)
    results = updated(TEAMS[:2], shares=["1"], check=check)
    assert results["team-1"].messages == ("interrupted",)


def test_a_resumed_run_first_checks_what_was_updated_before(
    updated: Updated, recorded: Recorded, tmp_path: Path
) -> None:
    order = {"canaries": ["team-1"], "check": lambda stacks: f"{stacks} not healthy"}
    updated(TEAMS[:2], **order)
    left = journal.read(tmp_path / "journal.json")
    results = updated(left.stacks, resumed=left, **order)
    assert recorded.waves == [["team-1"]]
    assert results["team-0"].messages == ("('team-1',) not healthy",)


def test_plans_that_a_killed_run_has_left_are_removed(updated: Updated, tmp_path: Path) -> None:
    left = tmp_path / "plans/team-7.json"
    left.parent.mkdir()
    left.touch()
    updated(TEAMS[:2])
    assert not left.parent.exists()


def test_nothing_is_updated_once_a_file_has_changed(
    updated: Updated, recorded: Recorded, tmp_path: Path
) -> None:
    def edit(stack: str) -> None:
        (tmp_path / "tenants/team-0.yaml").write_text("team: team-0\nquota: {pods: 1}\n")

    recorded.during = edit
    results = updated(["team-0", "team-1"])
    assert recorded.waves == [["team-0"]]
    assert results["team-1"].messages == ("tenants/team-0.yaml has changed since the preview",)


def test_a_resumed_run_does_only_what_is_left(
    updated: Updated, recorded: Recorded, tmp_path: Path
) -> None:
    recorded.results = {(Kind.UP, "team-1"): Outcome.FAILED}
    updated(["team-0", "team-1"], shares=["1", "rest"])
    left = journal.read(tmp_path / "journal.json")
    assert (left.stacks, left.updated) == (("team-0", "team-1"), ("team-0",))

    recorded.results, recorded.waves = {}, []
    results = updated(left.stacks, resumed=left)
    assert recorded.waves == [["team-1"]]
    assert results["team-0"].messages == (UPDATED_BEFORE,)
    assert not (tmp_path / "journal.json").exists()


def test_a_resumed_run_starts_again_if_files_have_changed(
    updated: Updated, recorded: Recorded
) -> None:
    left = Journal(inputs="of other files", stacks=("team-0", "team-1"), updated=("team-0",))
    updated(left.stacks, resumed=left)
    assert recorded.waves == [["team-0", "team-1"]]


def test_a_journal_that_cannot_be_written_stops_the_run(
    updated: Updated, recorded: Recorded, tmp_path: Path
) -> None:
    def block(stack: str) -> None:
        file = tmp_path / "journal.json"
        if file.is_file():
            file.unlink()
            file.mkdir()

    recorded.during = block
    results = updated(["team-0", "team-1"])
    assert outcomes(results) == ["changed", "not run"]
    assert "cannot be written" in results["team-1"].messages[0]


def test_nothing_starts_without_a_journal(
    updated: Updated, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(Journal, "write", mock.Mock(side_effect=full))
    with pytest.raises(UserError, match=r"journal\.json cannot be written: No space left"):
        updated(["team-0"])
    assert recorded.waves == []


def test_there_is_nothing_to_resume_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run to resume"):
        journal.read(tmp_path / "journal.json")


@pytest.mark.parametrize("text", ["{", '{"inputs": "x", "stacks": [], "later": 1}', "[]", "\0"])
def test_a_file_that_is_no_journal_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(UserError, match="is not a journal of this version; remove it"):
        journal.read(tmp_path / "journal.json")


def test_inputs_are_the_program_the_settings_and_the_teams_files(tmp_path: Path) -> None:
    read = ("components/a.py", "tenants/files/x", "Pulumi.a.yaml", "clusters/a.yaml")
    for name in (*read, "docs/a.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    inputs = Inputs(tmp_path, ["tenants"])
    (tmp_path / "docs/a.md").write_text("after")
    assert not inputs.changed()
    for name in read:
        (tmp_path / name).write_text("after")
        assert inputs.changed() == name
        (tmp_path / name).write_text("before")
    (tmp_path / "tenants/new.yaml").write_text("new")
    assert inputs.changed() == "tenants/new.yaml"


def test_what_pulumi_itself_does_to_a_stacks_file_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.a.yaml"
    file.write_text("config:\n    sre-platform:teams:   [a]\n    sre-platform:platform: false\n")
    inputs = Inputs(tmp_path, [])
    written = 'config:\n  sre-platform:teams: [a]\n  sre-platform:platform: "false"\n'
    file.write_text(f"{written}encryptionsalt: v1:x\n")
    assert not inputs.changed()
    assert inputs.digest == Inputs(tmp_path, []).digest
    file.write_text(written.replace("false", "true"))
    assert inputs.changed() == "Pulumi.a.yaml"


def test_a_file_that_is_removed_while_files_are_read_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.a.yaml").write_text("before")
    inputs = Inputs(tmp_path, [])
    monkeypatch.setattr(Path, "read_bytes", mock.Mock(side_effect=FileNotFoundError))
    assert inputs.changed() == "Pulumi.a.yaml"


def test_a_check_gets_the_stacks_and_fails_by_its_exit_code(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    assert not command(f'echo "$STACKS" > {seen}')(["team-0", "team-1"])
    assert seen.read_text() == "team-0 team-1\n"
    assert command("exit 3")(["team-0"]) == "the check failed with exit code 3"
