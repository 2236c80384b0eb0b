"""`./sre fleet` on the real engine, with the providers stood in for."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.checkouts import Run, finished
from tests.engine.fleets import FleetCheckout
from tests.engine.shared import once

pytestmark = pytest.mark.engine

QUOTA = ("tenants/team-beta.yaml", "pods: 30", "pods: 31")


@pytest.fixture(scope="session")
def updated(tmp_path_factory: pytest.TempPathFactory) -> tuple[FleetCheckout, Run]:
    """A checkout after its first `./sre fleet up`, and that run. No test changes it."""

    def make(folder: Path) -> tuple[FleetCheckout, Run]:
        checkout = FleetCheckout(folder)
        with checkout.servers() as environment:
            return checkout, checkout.run("fleet up --format json", 300, **environment)

    return once(tmp_path_factory, "fleet", make)


@pytest.fixture
def fleet(updated: tuple[FleetCheckout, Run], tmp_path: Path) -> FleetCheckout:
    """One of the test's own."""
    return FleetCheckout.twin(updated[0], tmp_path / "checkout")


@pytest.fixture
def servers(fleet: FleetCheckout) -> Iterator[Mapping[str, str]]:
    with fleet.servers() as environment:
        yield environment


def report(run: Run) -> dict[str, Any]:
    """Each stack's result by its name; the report comes after the lines of progress."""
    found = json.loads(run.output[run.output.index("{\n") :])
    return {one["stack"]: one for one in found["stacks"]}


def outcomes(run: Run) -> dict[str, str]:
    return {stack: one["outcome"] for stack, one in report(run).items()}


def test_the_first_up_creates_every_stack_and_the_platforms_first(
    updated: tuple[FleetCheckout, Run],
) -> None:
    _, run = updated
    assert run.code == 0, run.output
    assert set(outcomes(run).values()) == {"changed"}
    ended = [line.partition(":")[0] for line in run.output.splitlines() if ": up: " in line]
    assert (ended[0], sorted(ended[1:])) == ("platform", ["team-alpha", "team-beta"])
    assert all(one["changes"]["create"] > 20 for one in report(run).values())


def test_a_preview_finds_the_stack_that_a_change_is_for(
    fleet: FleetCheckout, servers: Mapping[str, str]
) -> None:
    fleet.edit(*QUOTA)
    run = fleet.run("fleet preview --format json", 300, **servers)
    assert run.code == 0, run.output
    assert outcomes(run) == {
        "platform": "unchanged", "team-alpha": "unchanged", "team-beta": "changed"
    }  # fmt: skip
    assert report(run)["team-beta"]["changes"] == {"update": 1}
    log = (fleet.folder / ".fleet/logs/team-beta.preview.txt").read_text(encoding="utf-8")
    assert '~ pods: "30" => "31"' in log


def test_an_update_does_nothing_if_a_file_is_refused(
    fleet: FleetCheckout, servers: Mapping[str, str]
) -> None:
    fleet.edit(*QUOTA)
    fleet.edit("tenants/team-alpha.yaml", 'tag: "v2.1.0"', "tag: latest")
    run = fleet.run("fleet up --format json", 300, **servers)
    assert run.code == 1
    assert outcomes(run) == {
        "platform": "unchanged", "team-alpha": "refused", "team-beta": "not run"
    }  # fmt: skip
    assert "'latest' is not a version" in report(run)["team-alpha"]["messages"][0]
    again = fleet.run("fleet preview team-beta --format json", 300, **servers)
    assert outcomes(again) == {"team-beta": "changed"}


def test_a_killed_run_is_resumed(fleet: FleetCheckout, servers: Mapping[str, str]) -> None:
    fleet.edit(*QUOTA)
    process = fleet.start("fleet up --format json", **servers)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("team-beta: preview: changed"):
            break
    os.kill(process.pid, signal.SIGKILL)
    finished(process, within=120)

    run = fleet.run("fleet up --resume --format json", 300, **servers)
    assert run.code == 0, run.output
    run = fleet.run("fleet preview --format json", 300, **servers)
    assert set(outcomes(run).values()) == {"unchanged"}
