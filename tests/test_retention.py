"""Whether Harbor's retention leaves the images that a team runs."""

from pathlib import Path

import pytest

from specs.retention import is_older
from tests.written import accepted, entry, place, reported, team, warned

REPOSITORY = "harbor.sre.internal/team-alpha/shared"


def running(kept: str, *tags: str, repository: str = REPOSITORY, more: str = "") -> str:
    """A team whose cronjobs run these versions of one repository."""
    apps = "".join(
        entry(
            archetype="cronjob",
            name=f"job-{number}",
            image=f"{{repository: {repository}, tag: {tag}}}",
        )
        for number, tag in enumerate(tags)
    )
    return team(f"registry: {{retention: {{mostRecentlyPushed: {kept}}}}}\n{more}apps:\n") + apps


def test_fewer_kept_than_versions_in_use_is_an_error_that_names_them(tmp_path: Path) -> None:
    text, where = place(running("«1", "v1.0.0", "v2.0.0"))
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: registry.retention.mostRecentlyPushed: keeps 1 in each "
        f"repository, but the apps run 2 versions of {REPOSITORY} (v1.0.0, v2.0.0), so Harbor "
        "deletes images in use; keep at least 2"
    ]


def test_the_default_can_be_too_few_too(tmp_path: Path) -> None:
    tags = [f"v1.0.{number}" for number in range(21)]
    text = running("20", *tags).replace("registry: {retention: {mostRecentlyPushed: 20}}\n", "")
    (problem,) = reported(tmp_path, text)
    assert "registry.retention.mostRecentlyPushed: keeps 20 in each repository" in problem
    assert "v1.0.10, v1.0.11, v1.0.12 and 16 more), so Harbor deletes" in problem


def test_as_many_kept_as_are_in_use_causes_a_warning_about_the_next_push(
    tmp_path: Path,
) -> None:
    text, where = place(running("«2", "v1.0.0", "v2.0.0"))
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: registry.retention.mostRecentlyPushed: warning: keeps 2 "
        f"in each repository, exactly as many as run from {REPOSITORY} (v1.0.0, v2.0.0), so "
        f"the next "
        "push there deletes one that is in use; keep at least 3"
    ]


def test_one_version_in_several_apps_counts_once(tmp_path: Path) -> None:
    assert warned(tmp_path, running("2", "v1.0.0", "v1.0.0", "v1.0.0")) == []


def test_versions_of_several_repositories_are_counted_separately(tmp_path: Path) -> None:
    text = running("2", "v1.0.0", "v2.0.0").replace("shared, tag: v2", "other, tag: v2")
    assert warned(tmp_path, text) == []


def test_images_of_a_shared_project_are_not_the_team_s_to_keep(tmp_path: Path) -> None:
    shared = "harbor.sre.internal/base-images/shell"
    assert warned(tmp_path, running("1", "v1.0.0", "v2.0.0", repository=shared)) == []


def test_an_offboarded_team_runs_nothing(tmp_path: Path) -> None:
    accepted(tmp_path, running("1", "v1.0.0", "v2.0.0", more="lifecycle: offboarding\n"))


@pytest.mark.parametrize(
    ("tag", "than"),
    [
        ("v1.0.0", "v1.0.1"),
        ("v1.9.0", "v1.10.0"),
        ("1.9", "v1.9.1"),
        ("v2.0.0-rc.1", "v2.0.0"),
        ("v2.0.0-rc.2", "v2.0.0-rc.10"),
        ("v2.0.0-1", "v2.0.0-rc"),
        ("2026-01-31", "2026-02-01"),
        ("41", "42"),
    ],
)
def test_a_version_before_another_is_older(tag: str, than: str) -> None:
    assert is_older(tag, than)
    assert not is_older(than, tag)


@pytest.mark.parametrize(
    ("tag", "than"),
    [("v1.0", "v1.0.0"), ("v1.0.0", "1.0.0"), ("main-4f2a", "v1.0.0"), ("v1", ""), ("a1", "b2")],
)
def test_of_equal_versions_and_of_non_versions_neither_is_older(tag: str, than: str) -> None:
    assert not is_older(tag, than)
    assert not is_older(than, tag)
