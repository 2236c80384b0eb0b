"""`./sre fleet up` is killed, its disk is full, a lock is held, a stack hangs."""

import fcntl
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import hypothesis
import pytest

from bench.fleet import below
from tests.checkouts import Run, finished
from tests.engine.fleets import FleetCheckout, outcomes, report

pytestmark = pytest.mark.engine

# 2 in `make test`, 100 in `make nightly`.
KILLS = hypothesis.settings().max_examples // 10

UP = "fleet up --format json"
LOCK = "0d1f2c3b-0000-4000-8000-000000000000"


def changed(fleet: FleetCheckout) -> None:
    """Give each team an update and an object to create; one has an object to delete."""
    alpha, beta = "tenants/team-alpha.yaml", "tenants/team-beta.yaml"
    added = "access: {viewers: [team-alpha-guests]}\nquota: {pods: 51}\n"
    fleet.edit(alpha, "team: team-alpha\n\n", f"team: team-alpha\n\n{added}")
    fleet.edit(beta, "pods: 30", "pods: 31")
    fleet.edit(beta, "roles: {incident-response: view}", "roles: {support: view}")


def is_engine(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text("ascii").strip() == "pulumi"
    return False


def kill(pid: int, how: str, choose: random.Random) -> None:
    """The command alone, an engine, all at once; or a plea to end."""
    there = [*below(pid)]
    engines = [each for each in there if is_engine(each)]
    victims = {
        "the command": [pid],
        "an engine": [choose.choice(engines)] if engines else [],
        "everything": there,
        "a signal": [],
    }
    for victim in victims[how]:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    if how == "a signal":
        os.kill(pid, choose.choice((signal.SIGINT, signal.SIGTERM)))


def await_the_end(fleet: FleetCheckout, process: subprocess.Popen[str]) -> Run:
    """Until neither the command nor an engine of it runs: each holds the checkout's lock."""
    run = finished(process, 120)
    with (fleet.folder / ".fleet/lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    return run


def freed(fleet: FleetCheckout, run: Run, environment: Mapping[str, str]) -> bool:
    """Whether the run named commands that remove locks; they are run."""
    commands = set(re.findall(r"pulumi cancel --yes --stack [a-z-]+", run.output))
    for command in commands:
        subprocess.run(command.split(), cwd=fleet.folder, env=environment, check=True)
    return bool(commands)


def one_writer_at_a_time(fleet: FleetCheckout) -> bool:
    """Whether no engine wrote to a stack's server again after another had begun to."""
    lines = sorted(
        (line.split() for line in fleet.writers.read_text("utf-8").splitlines()),
        key=lambda words: words[:2],
    )
    for _, writes in groupby(lines, key=lambda words: words[:2]):
        turns = [engine for engine, _ in groupby(words[2] for words in writes)]
        if len(turns) != len(set(turns)):
            return False
    return True


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_run_that_is_killed_at_any_moment_is_finished_by_the_next(
    fleet: FleetCheckout, servers: Mapping[str, str], seed: int
) -> None:
    choose = random.Random(seed)
    how = choose.choice(("the command", "an engine", "everything", "a signal"))
    changed(fleet)
    process = fleet.start(f"{UP} --parallel 2 --max-failures 9", **servers)
    time.sleep(choose.uniform(0, 8))  # the moment; no condition is awaited
    with suppress(ProcessLookupError):
        kill(process.pid, how, choose)
    first = await_the_end(fleet, process)
    assert "Traceback" not in first.output
    is_finished_by_the_next(fleet, first, servers)
    assert one_writer_at_a_time(fleet)


def is_finished_by_the_next(fleet: FleetCheckout, run: Run, environment: Mapping[str, str]) -> None:
    """States can be read; once the locks that are named are removed, nothing is left to do."""
    for state in fleet.state_files:
        assert json.loads(state.read_text(encoding="utf-8"))["checkpoint"]
    freed(fleet, run, environment)
    following = fleet.run(resumed(fleet), 300, **environment)
    while following.code and freed(fleet, following, environment):
        following = fleet.run(resumed(fleet), 300, **environment)
    assert following.code == 0, following.output
    last = fleet.run("fleet preview --format json", 300, **environment)
    assert set(outcomes(last).values()) == {"unchanged"}, last.output
    assert not [*fleet.locks.rglob("*.json")]


def resumed(fleet: FleetCheckout) -> str:
    """The command that goes on, if there is something to go on with."""
    return f"{UP} --resume" if (fleet.folder / ".fleet/journal.json").exists() else UP


def test_a_locked_stack_is_named_with_the_command_that_frees_it(
    fleet: FleetCheckout, servers: Mapping[str, str]
) -> None:
    changed(fleet)
    held = fleet.locks / "team-beta" / f"{LOCK}.json"
    held.parent.mkdir(parents=True, exist_ok=True)
    by = {"pid": 1, "username": "someone", "hostname": "elsewhere"}
    held.write_text(json.dumps({**by, "timestamp": "2026-01-01T00:00:00Z"}), encoding="utf-8")
    run = fleet.run(f"{UP} --max-failures 9", 300, **servers)
    assert run.code == 1
    assert outcomes(run) == {
        "platform": "unchanged", "team-alpha": "changed", "team-beta": "failed"
    }  # fmt: skip
    (message,) = report(run)["team-beta"]["messages"]
    assert message.startswith("another run has the stack's lock")
    assert freed(fleet, run, servers)
    run = fleet.run(f"{UP} --resume", 300, **servers)
    assert run.code == 0, run.output
    assert outcomes(run)["team-beta"] == "changed"


def test_a_stack_that_hangs_fails_in_time_and_the_others_are_updated(
    fleet: FleetCheckout, servers: Mapping[str, str], tmp_path: Path
) -> None:
    changed(fleet)
    cli = shutil.which("pulumi", path=servers["PATH"])
    slow = tmp_path / "slow" / "pulumi"
    slow.parent.mkdir()
    hang = 'case "$*" in *" up "*"--stack team-beta"*) exec sleep infinity ;; esac'
    slow.write_text(f'#!/bin/sh\n{hang}\nexec {cli} "$@"\n', encoding="utf-8")
    slow.chmod(0o755)
    path = f"{slow.parent}:{servers['PATH']}"
    command = f"{UP} --max-failures 9 --timeout 15"
    run = fleet.run(command, 300, **{**servers, "PATH": path})
    assert run.code == 1
    assert outcomes(run) == {
        "platform": "unchanged", "team-alpha": "changed", "team-beta": "failed"
    }  # fmt: skip
    assert report(run)["team-beta"]["messages"][0] == "not done after 15 s (--timeout)"
    run = fleet.run(f"{UP} --resume", 300, **servers)
    assert outcomes(run)["team-beta"] == "changed", run.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small file system")
def test_without_room_for_states_nothing_is_updated(
    fleet: FleetCheckout, servers: Mapping[str, str]
) -> None:
    changed(fleet)
    state = fleet.folder / ".sandbox/state"
    kept = state.rename(state.with_name("kept"))
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(state)], check=True)
    try:
        shutil.copytree(kept, state, dirs_exist_ok=True)
        filler = state / "filler"
        filler.write_bytes(bytes(70 << 20))
        before = [file.read_bytes() for file in fleet.state_files]
        run = fleet.run(f"{UP} --max-failures 9", 300, **servers)
        assert run.code == 1
        assert outcomes(run) == {
            "platform": "unchanged", "team-alpha": "failed", "team-beta": "failed"
        }  # fmt: skip
        (message,) = report(run)["team-alpha"]["messages"]
        assert message.startswith("the backend's disk has ")
        assert [file.read_bytes() for file in fleet.state_files] == before
        filler.unlink()
        is_finished_by_the_next(fleet, run, servers)
    finally:
        subprocess.run(["umount", str(state)], check=True)


def test_an_empty_lock_is_named_with_the_command_that_removes_it(
    fleet: FleetCheckout, servers: Mapping[str, str]
) -> None:
    changed(fleet)
    left = fleet.locks / "team-beta" / f"{LOCK}.json.18ecb991c0a8caf8.tmp"  # by a full disk
    left.parent.mkdir(parents=True, exist_ok=True)
    left.touch()
    run = fleet.run(f"{UP} --max-failures 9", 300, **servers)
    (message,) = report(run)["team-beta"]["messages"]
    assert message.startswith("the backend has a lock without content")
    is_finished_by_the_next(fleet, run, servers)
