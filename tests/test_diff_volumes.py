"""What `./sre diff` says about changes to volumes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.written import app, team
from tools.review.comparison import compare
from tools.review.rendered_objects import Side, read_side
from tools.review.review_findings import Rules

pytestmark = pytest.mark.commands

Render = Callable[[str], Side]
CLAIM = "PersistentVolumeClaim my-api-data"
BESIDE = "autoscaling: {enabled: false}\npodDisruptionBudget: {enabled: false}"


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """The side that a file of team-alpha makes; None is no file at all."""
    number = 0

    def side(text: str) -> Side:
        nonlocal number
        number += 1
        tenants, out = tmp_path / f"tenants-{number}", tmp_path / f"out-{number}"
        tenants.mkdir()
        file = "team-alpha" if text else "team-beta"
        (tenants / f"{file}.yaml").write_text(text or "team: team-beta\n")
        assert main(["render", "--tenants", str(tenants), "--out", str(out)]) == 0
        return read_side(out)

    return side


def volume(keys: str = "", size: str = "5Gi") -> str:
    return app(f"replicas: 1\nvolumes: [{{name: data, path: /data, size: {size}{keys}}}]", BESIDE)


def found(base: Side, head: Side) -> list[tuple[Rules, str]]:
    return [(each.rule, each.detail) for each in compare(base, head).findings]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (volume(), volume(size="4Gi"), f"{CLAIM}: 5Gi -> 4Gi"),
        (volume(), volume(", storageClass: fast"), f"{CLAIM}: class (default) -> fast"),
        (
            volume(),
            volume(", accessMode: ReadWriteOncePod"),
            f"{CLAIM}: ReadWriteOnce -> ReadWriteOncePod",
        ),
    ],
)
def test_what_a_volume_cannot_become_needs_a_second_reviewer(
    render: Render, before: str, after: str, said: str
) -> None:
    assert found(render(before), render(after)) == [(Rules.VOLUME, said)]


def test_a_volume_that_grows_is_ordinary(render: Render) -> None:
    assert found(render(volume()), render(volume(size="6Gi"))) == []


def test_a_class_that_the_file_no_longer_names_stays(render: Render) -> None:
    assert found(render(volume(", storageClass: fast")), render(volume())) == []


def test_a_volume_that_an_app_gets_is_no_weaker_pod(render: Render) -> None:
    before = app("replicas: 1", BESIDE)
    assert found(render(before), render(volume())) == [
        (Rules.LESS_SPARE, "Deployment my-api: no pod runs while it rolls out"),
        (Rules.WRITABLE, "/data of container my-api"),
        (Rules.BEHAVIOUR, "the pod runs with fsGroup 65532"),
    ]


def test_data_that_may_be_deleted_is_no_longer_protected(render: Render) -> None:
    after = render(volume(", onRemoval: delete"))
    assert found(render(volume()), after) == [(Rules.UNPROTECTED, CLAIM)]


@pytest.mark.parametrize("after", [app("replicas: 1", BESIDE), team("apps: []")])
def test_a_volume_outlives_its_removal_and_that_of_its_app(render: Render, after: str) -> None:
    findings = found(render(volume()), render(after))
    assert (Rules.KEPT, CLAIM) in findings
    assert Rules.DATA_DESTROYED not in {rule for rule, _ in findings}


def test_a_volume_that_may_be_deleted_is_destroyed_with_its_data(render: Render) -> None:
    findings = found(render(volume(", onRemoval: delete")), render(app("replicas: 1", BESIDE)))
    assert (Rules.DATA_DESTROYED, CLAIM) in findings


def test_no_volume_outlives_its_team(render: Render) -> None:
    offboarded = render(volume() + "lifecycle: offboarding\n")
    assert (Rules.DATA_DESTROYED, CLAIM) in found(offboarded, render(""))
