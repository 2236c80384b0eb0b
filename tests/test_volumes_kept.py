"""Volumes that exist: what a file may change about them, and which stay without an app."""

from typing import Any

import pulumi
import pytest

from tests.conftest import Program
from tests.program import CLAIM, Made, team_file, web_app

CLAIMED = f"{CLAIM} team-alpha/my-api-data"
_BESIDE = "autoscaling: {enabled: false}, podDisruptionBudget: {enabled: false}"


def having(keys: str = "", size: str = "5Gi", name: str = "my-api", extra: str = "") -> str:
    """A web-app that has a volume `data`."""
    volume = f"{{name: data, path: /data, size: {size}{keys}}}"
    return web_app(f"{{app: {{replicas: 1, volumes: [{volume}]}}, {_BESIDE}}}", name) + extra


def without(name: str = "my-api", extra: str = "") -> str:
    return web_app(f"{{app: {{replicas: 1}}, {_BESIDE}}}", name) + extra


OFFBOARDING = "lifecycle: offboarding\n"
DELETE = ", onRemoval: delete"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lines.append)
    return lines


def claim(made: Made) -> Any:
    return made.one(CLAIM, "team-alpha/my-api-data")


@pytest.mark.parametrize("after", [without(), team_file()], ids=["volume", "app"])
def test_a_volume_outlives_its_removal_from_the_file(
    program: Program, after: str, said: list[str]
) -> None:
    made = program(having(), before=program(having()).state())
    assert said == []
    kept = program(after, before=made.state())
    assert claim(kept).protect
    assert claim(kept).parent == claim(made).parent
    # Whatever the state has, stays.
    request = claim(kept).registration.request
    assert set(request.ignoreChanges) == {"metadata.annotations", "metadata.labels", "spec"}
    assert said == [
        "team-alpha: volumes that no app uses stay with their data: my-api-data (5Gi) "
        "(docs/lifecycle.md#volumes)"
    ]


def test_a_volume_that_may_go_is_deleted_with_its_app(program: Program, said: list[str]) -> None:
    for after in (without(), team_file()):
        made = program(after, before=program(having(DELETE)).state())
        assert made.names(CLAIM) == []
    assert said == []


def test_what_stays_is_what_the_last_run_was_told(program: Program) -> None:
    kept = program(having()).state()
    told = program(having(DELETE), before=kept)
    assert not claim(told).protect
    assert program(team_file(), before=told.state()).names(CLAIM) == []


def test_a_volume_without_an_app_is_taken_back_by_its_name(program: Program) -> None:
    made = program(having())
    back = program(having(size="6Gi"), before=program(having()).state())
    assert claim(back).registration.request.parent == claim(made).registration.request.parent
    assert claim(back).spec["resources"]["requests"]["storage"] == "6Gi"


def test_volumes_of_a_suspended_team_stay_protected(program: Program) -> None:
    assert claim(program(having(extra="lifecycle: suspended\n"))).protect


def test_offboarding_keeps_all_volumes_and_protects_none(program: Program) -> None:
    for file in (having(extra=OFFBOARDING), having(DELETE, extra=OFFBOARDING)):
        assert not claim(program(file)).protect
    kept = program(without(extra=OFFBOARDING), before=program(having()).state())
    assert not claim(kept).protect


def test_an_offboarded_teams_volumes_go_with_it(program: Program) -> None:
    before = program(having(extra=OFFBOARDING)).state()
    # Its file is deleted; the stack has another team.
    other = program(team_file(team="team-beta"), before=before)
    assert other.names(CLAIM) == []


def test_a_volume_of_which_the_state_knows_little_stays_too(program: Program) -> None:
    state = program(having()).state()
    for resource in state.values():
        if resource["type"] == CLAIM:
            resource["outputs"] = {}
    assert claim(program(team_file(), before=state)).protect
    assert program(having(size="1Gi"), before=state)


@pytest.mark.parametrize(
    ("before", "after", "path", "message"),
    [
        (
            having(),
            having(size="4.5Gi"),
            "size",
            "4.5Gi is below 5Gi, the size of my-api-data, and a volume cannot shrink; write 5Gi "
            "or more",
        ),
        (
            having(", accessMode: ReadWriteMany"),
            having(", accessMode: ReadWriteOnce"),
            "accessMode",
            "ReadWriteOnce is not the access mode of my-api-data, which cannot change; write "
            "ReadWriteMany",
        ),
        (
            having(", storageClass: fast"),
            having(", storageClass: slow"),
            "storageClass",
            "slow is not the class of my-api-data, which cannot change; write fast",
        ),
        (
            having(),
            having(", storageClass: slow"),
            "storageClass",
            "slow is not the class of my-api-data, which cannot change; leave it out",
        ),
    ],
)
def test_what_the_api_server_would_refuse_changes_nothing(
    program: Program, before: str, after: str, path: str, message: str
) -> None:
    state = program(before).state()
    with pytest.raises(pulumi.RunError) as raised:
        program(after, before=state)
    (line,) = str(raised.value).splitlines()
    assert f": apps[0].app.volumes[0].{path}: {message}, or add a volume under another" in line
    _, number, column = line.partition(": ")[0].rsplit(":", 2)
    there = after.splitlines()[int(number) - 1][int(column) - 1 :]
    assert there == message.partition(" ")[0]
    # The same holds once no app has used the volume for a while.
    alone = {**program(team_file(), before=state).state(), **state}
    with pytest.raises(pulumi.RunError, match=r"my-api-data"):
        program(after, before=alone)


@pytest.mark.parametrize(
    "after", [having(), having(size="10Gi"), having(", storageClass: fast", "5368709120")]
)
def test_a_volume_may_grow_and_need_not_name_its_class(program: Program, after: str) -> None:
    before = program(having(", storageClass: fast")).state()
    assert claim(program(after, before=before)).protect
