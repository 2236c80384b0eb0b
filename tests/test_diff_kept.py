"""Sides that `./sre diff` has rendered are kept, and never change its result."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.written import ROOT
from tools.rendering.documents import Rendered, as_json
from tools.rendering.index import Index
from tools.review import kept_sides, sides
from tools.review.kept_sides import keep_side, kept_side, side_key
from tools.review.rendered_objects import side_of
from tools.review.sides import two_sides

PATH = "kubernetes/_cluster/Namespace-team-alpha.yaml"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-alpha"}}
RENDERED = Rendered(
    {PATH: as_json(NAMESPACE)},
    Index({PATH: {"team": "team-alpha", "app": ""}}, {"harbor": {"url": "https://harbor.invalid"}}),
)
CONTENT = RENDERED.index, RENDERED.documents


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept sides; files count as older than this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_sides, "_STARTED", float("inf"))
    return tmp_path / "cache" / "sre-platform" / "rendered"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "tenants", folder / "tenants")
    (folder / "components").mkdir()
    (folder / "components" / "quota.py").write_text("PODS = 20\n")
    for file in ("__main__.py", "Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / file, folder)
    return folder


def test_a_kept_side_is_what_was_rendered(cache: Path, checkout: Path) -> None:
    key = side_key(checkout, "dev")
    assert kept_side(key) is None
    assert keep_side(key, *CONTENT) == kept_side(key) == side_of(*CONTENT)


CHANGES: dict[str, Callable[[Path], object]] = {
    "code": lambda root: (root / "components" / "quota.py").write_text("PODS = 10\n"),
    "a team's file": lambda root: (root / "tenants" / "team-new.yaml").write_text("team: team-new"),
    "settings": lambda root: (root / "Pulumi.yaml").write_text("name: other\n"),
    "a file's name": lambda root: (root / "__main__.py").rename(root / "main.py"),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_another_file_is_another_side(cache: Path, checkout: Path, changed: str) -> None:
    before = side_key(checkout, "dev")
    CHANGES[changed](checkout)
    assert before != side_key(checkout, "dev") is not None


def test_another_package_is_another_side(
    cache: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = side_key(checkout, "dev")
    monkeypatch.setattr(kept_sides, "distributions", lambda: [])
    assert before != side_key(checkout, "dev") is not None


def test_what_lies_outside_the_checkout_is_not_kept(cache: Path, checkout: Path) -> None:
    (checkout / "files").symlink_to(ROOT / "tenants")
    assert side_key(checkout, "dev") is None


def test_teams_outside_the_checkout_are_not_kept(cache: Path, checkout: Path) -> None:
    (checkout / "tenants").rename(checkout.parent / "teams")
    settings = checkout / "Pulumi.dev.yaml"
    settings.write_text(f"{settings.read_text()}  sre-platform:tenants: ../teams\n")
    assert side_key(checkout, "dev") is None


def test_files_that_change_during_the_review_are_not_kept(
    cache: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = (checkout / "__main__.py").stat().st_mtime
    monkeypatch.setattr(kept_sides, "_STARTED", changed - 1)
    assert side_key(checkout, "dev") is None


@pytest.mark.parametrize("damage", [b"", b"text", None])
def test_a_damaged_side_is_rendered_again(
    cache: Path, checkout: Path, damage: bytes | None
) -> None:
    key = side_key(checkout, "dev")
    keep_side(key, *CONTENT)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-20] if damage is None else damage)
    assert kept_side(key) is None
    assert keep_side(key, *CONTENT) == kept_side(key)


def test_a_cache_that_cannot_be_written_to_changes_nothing(cache: Path, checkout: Path) -> None:
    cache.parent.parent.write_text("no folder")
    key = side_key(checkout, "dev")
    assert keep_side(key, *CONTENT) == side_of(*CONTENT)
    assert kept_side(key) is None


def test_what_was_used_last_is_kept_longest(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_side("older", *CONTENT)
    keep_side("newer", *CONTENT)
    size = 0
    for seconds, file in enumerate(sorted(cache.iterdir(), reverse=True)):  # older, newer
        os.utime(file, (seconds, seconds))
        size += file.stat().st_size
    monkeypatch.setattr(kept_sides, "_MOST", size)
    keep_side("newest", *CONTENT)
    assert {file.name.partition(".")[0] for file in cache.iterdir()} == {"newer", "newest"}


def test_equal_sides_are_rendered_once(
    cache: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendering = list[Path]()

    def rendered(root: Path, *_: object, expired: bool = False) -> Rendered:
        rendering.append(root)
        return RENDERED

    def start(*_: object) -> None:
        raise AssertionError("the base is rendered")

    monkeypatch.setattr(sides, "rendered", rendered)
    monkeypatch.setattr(sides, "_start", start)
    base = checkout.parent / "base"
    shutil.copytree(checkout, base)
    teams, tenants = ["team-alpha", "team-beta"], checkout / "tenants"

    two_sides(base, checkout, "dev", teams, tenants, same_code=True)
    assert rendering == [base]
    (checkout / "components" / "quota.py").write_text("PODS = 10\n")
    for _ in range(2):
        before, after = two_sides(base, checkout, "dev", teams, tenants, same_code=False)
        assert before == after
    assert rendering == [base, checkout]
