"""A file is written whole or not at all."""

import os
from pathlib import Path

import pytest

from plain.whole_files import all_or_nothing, delete, replace


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file.yaml"
    file.write_text("before")
    return file


def test_the_bytes_are_those_of_the_text(file: Path) -> None:
    replace(file, "\ufeffé: 1\r\n\n")
    assert file.read_bytes() == b"\xef\xbb\xbf\xc3\xa9: 1\r\n\n"


def test_a_new_file_has_the_mode_that_any_new_file_has(file: Path) -> None:
    replace(file.with_name("new.yaml"), "text")
    assert file.with_name("new.yaml").stat().st_mode == file.stat().st_mode


def test_the_mode_stays(file: Path) -> None:
    file.chmod(0o640)
    replace(file, "after")
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one_and_the_file_that_it_names_is_written(file: Path) -> None:
    link = file.parent / "elsewhere" / "link.yaml"
    link.parent.mkdir()
    link.symlink_to("../file.yaml")
    replace(link, "after")
    assert link.is_symlink()
    assert file.read_text() == "after"
    assert [each.name for each in link.parent.iterdir()] == ["link.yaml"]


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_if_it_fails_the_file_is_unchanged_and_nothing_is_left(
    step: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        replace(file, "after")
    assert file.read_text() == "before"
    assert [*file.parent.iterdir()] == [file]


def test_nothing_is_left_after_an_interruption(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        replace(file, "after")
    assert [*file.parent.iterdir()] == [file]


def test_a_file_that_may_not_be_written_is_not_replaced_or_deleted(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # for root, everything may be written
    for change in (lambda: replace(file, "after"), lambda: delete(file)):
        with pytest.raises(PermissionError, match=r"Permission denied: '.*/file\.yaml'"):
            change()
    assert file.read_text() == "before"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_if_one_of_several_fails_all_are_as_before(file: Path, error: type[BaseException]) -> None:
    new, gone = file.with_name("new.yaml"), file.with_name("gone.yaml")
    gone.write_bytes(b"\xef\xbb\xbf\r\n")

    def fail() -> None:
        with all_or_nothing(file, new, gone):
            replace(file, "after")
            replace(new, "after")
            gone.unlink()
            raise error

    with pytest.raises(error):
        fail()
    assert (file.read_text(), gone.read_bytes()) == ("before", b"\xef\xbb\xbf\r\n")
    assert sorted(file.parent.iterdir()) == [file, gone]


def test_if_all_succeed_all_are_written(file: Path) -> None:
    with all_or_nothing(file):
        replace(file, "after")
    assert file.read_text() == "after"
