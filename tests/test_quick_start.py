"""What saves time when the program starts and registers."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from components.host import DEBUG, send_no_debug_messages
from plain.lazy_annotations import leave_annotations

MODULE = (
    '"""It has an annotation that cannot be evaluated."""\n\n\ndef ask(whom: nobody) -> None: ...\n'
)

before_3_14 = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="Python itself evaluates no annotation from 3.14 on"
)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path with the packages `left` and `other`."""
    for name in ("left", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield tmp_path
    sys.modules.pop("left", None)


@before_3_14
def test_annotations_of_the_named_packages_stay_text(packages: Path) -> None:
    leave_annotations("left")
    assert importlib.import_module("left").ask.__annotations__["whom"] == "nobody"
    with pytest.raises(NameError):
        importlib.import_module("other")


@before_3_14
def test_other_programs_find_no_bytecode_without_annotations(packages: Path) -> None:
    leave_annotations("left")
    importlib.import_module("left")
    ordinary = Path(importlib.util.cache_from_source(str(packages / "left" / "__init__.py")))
    (written,) = ordinary.parent.iterdir()
    assert written != ordinary


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the SDK's log sends the engine, in a program that has just started."""
    spec = importlib.util.find_spec("pulumi.log")
    assert spec
    assert spec.loader
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    messages: list[str] = []

    class Engine:
        def Log(self, request: object) -> None:  # noqa: N802 (the protocol's name)
            messages.append(request.message)  # type: ignore[attr-defined]

    monkeypatch.setattr(fresh, "get_engine", Engine)
    monkeypatch.setattr(pulumi, "log", fresh)
    return messages


def test_the_engine_gets_no_debug_messages(sent: list[str]) -> None:
    send_no_debug_messages()
    pulumi.log.debug("preparing", stream_id=1)
    pulumi.log.warn("a warning")
    assert sent == ["a warning"]


def test_the_engine_gets_debug_messages_on_request(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEBUG, "1")
    send_no_debug_messages()
    pulumi.log.debug("preparing")
    assert sent == ["preparing"]
