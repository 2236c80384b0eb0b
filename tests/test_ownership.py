"""Who owns which file, and where newer versions are looked for: held against what there is."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.written import ROOT

GITHUB = ROOT / ".github"
TEAMS = sorted(file.stem for file in (ROOT / "tenants").glob("*.yaml"))


def owners() -> dict[str, list[str]]:
    """Owners by pattern, in the order of the file."""
    lines = (GITHUB / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    fields = [line.split() for line in lines if line and not line.startswith("#")]
    assert len({pattern for pattern, *_ in fields}) == len(fields), "a pattern is there twice"
    return {pattern: names for pattern, *names in fields}


def updates(ecosystem: str) -> list[str]:
    """Folders, or patterns of them, in which its versions are looked for."""
    data = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))
    found: list[str] = []
    for entry in data["updates"]:
        if entry["package-ecosystem"] == ecosystem:
            found += entry.get("directories") or [entry["directory"]]
    return found


@pytest.mark.parametrize("team", TEAMS)
def test_each_teams_file_is_its_developers(team: str) -> None:
    assert owners()[f"/tenants/{team}.yaml"] == [f"@example-org/{team}-developers"]


def test_the_platform_team_owns_everything_else() -> None:
    # The last line that matches counts, so the one for all comes first.
    (pattern, names), *rest = owners().items()
    assert (pattern, names) == ("*", ["@example-org/platform"])
    assert [pattern for pattern, _ in rest] == [f"/tenants/{team}.yaml" for team in TEAMS]


def test_github_finds_the_owners_in_one_place() -> None:
    places = [ROOT / "CODEOWNERS", ROOT / "docs" / "CODEOWNERS"]
    assert [place for place in places if place.exists()] == []


def test_updates_are_looked_for_wherever_versions_are_pinned() -> None:
    modules = [Path("/", file.parent.relative_to(ROOT)) for file in _pinned("go.mod")]
    assert modules
    patterns = updates("gomod")
    assert [
        str(module)
        for module in modules
        if not any(fnmatchcase(str(module), pattern) for pattern in patterns)
    ] == []
    assert updates("pip") == ["/"]
    assert {*_pinned("requirements*.txt"), *_pinned("pyproject.toml")} == {
        ROOT / "requirements.txt",
        ROOT / "pyproject.toml",
    }
    assert updates("github-actions") == ["/"]


def _pinned(name: str) -> list[Path]:
    return [file for file in ROOT.rglob(name) if not {".venv", ".sandbox"} & set(file.parts)]


def test_every_update_has_a_schedule() -> None:
    data: Any = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))
    assert data["version"] == 2
    assert {entry["schedule"]["interval"] for entry in data["updates"]} == {"weekly"}
