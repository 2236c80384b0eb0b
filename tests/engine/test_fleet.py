"""`./sre fleet` on the real engine, with the providers stood in for."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.checkout import secrets_settings
from tests.checkouts import Run, finished
from tests.engine.fleets import UNCHANGED, FleetCheckout, outcomes, report

pytestmark = pytest.mark.engine

QUOTA = ("tenants/team-beta.yaml", "pods: 30", "pods: 31")


def test_the_first_up_creates_every_stack_and_the_platforms_first(
    updated_fleet: tuple[FleetCheckout, Run],
) -> None:
    _, run = updated_fleet
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
    log = (fleet.folder / ".fleet/logs/preview/team-beta.preview.txt").read_text(encoding="utf-8")
    assert '~ pods: "30" => "31"' in log


def test_drift_is_told_from_failures(tmp_path: Path) -> None:
    fleet = FleetCheckout(tmp_path / "checkout")
    with fleet.servers() as servers:
        # A Harbor would have to answer before it is compared.
        environment = {**servers, "SRE_PLATFORM_LEAVE_OUT": "harbor"}
        assert fleet.run("fleet up", 300, **environment).code == 0
        quiet = fleet.run("fleet drift --format json", 300, **environment)
        fleet.edit(*QUOTA)
        run = fleet.run("fleet drift --format json", 300, **environment)
    assert (quiet.code, outcomes(quiet)) == (0, UNCHANGED)
    assert (run.code, outcomes(run)) == (2, UNCHANGED | {"team-beta": "changed"})
    assert report(run)["team-beta"]["changes"] == {"update": 1}


def test_stacks_whose_files_have_no_salt_are_updated_as_in_a_fresh_checkout(
    fleet: FleetCheckout, servers: Mapping[str, str]
) -> None:
    fleet.edit(*QUOTA)
    for file in fleet.folder.glob("Pulumi.*.yaml"):
        file.write_text(secrets_settings.sub("", file.read_text()))
    run = fleet.run("fleet up --format json", 300, **servers)
    assert run.code == 0, run.output
    assert outcomes(run)["team-beta"] == "changed"


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
