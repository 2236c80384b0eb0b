"""Trees of manifests as tests of `./sre import` write them, and runs of it on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent, indent
from unittest import mock

import pytest

from cli.__main__ import main
from specs.load import load_team
from specs.team import Team
from tests.written import MARK, ROOT, dev_settings
from tools.migration.rendered import Objects, made_objects

GUIDE = ROOT / "tests/flux/guide/apps/tenants"

_LIVE = ": runs as '"

VALUES = """\
app:
  name: my-api
  image:
    repository: harbor.sre.internal/team-alpha/my-api
    tag: "v1.0.0"
"""


def release(values: str = VALUES, spec: str = "", *, chart: str = "sre-web-app") -> str:
    """A HelmRelease `my-api` of team-alpha; `spec` are further lines of its `spec`."""
    head = f"""\
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata:
          name: my-api
          namespace: team-alpha
        spec:
          interval: 10m
          chart:
            spec:
              chart: {chart}
              version: "0.1.0"
              sourceRef: {{kind: HelmRepository, name: sre-charts, namespace: flux-system}}
    """
    block = f"  values:\n{indent(dedent(values), '    ')}" if values else ""
    return dedent(head) + indent(dedent(spec), "  ") + block


def manifest(kind: str, text: str = "", *, name: str = "x", api: str = "v1") -> str:
    """An object of team-alpha; `text` is what follows its metadata."""
    head = f"apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: team-alpha\n"
    return head + dedent(text)


@dataclass(frozen=True)
class Run:
    """What one import did."""

    code: int
    output: str
    lines: list[str]
    files: Mapping[str, str]

    @property
    def lost(self) -> list[str]:
        """The losses that it reports."""
        ends = ("Nothing is written",)
        return [line for line in self.lines if ": note: " not in line and not line.startswith(ends)]

    @property
    def notes(self) -> list[str]:
        """Its notes, except those about the names of running releases."""
        return [line for line in self._notes if _LIVE not in line]

    @property
    def live(self) -> list[str]:
        """Its notes about the names of running releases."""
        return [line for line in self._notes if _LIVE in line]

    @property
    def _notes(self) -> list[str]:
        return [line.replace("note: ", "") for line in self.lines if ": note: " in line]


def _made_once(
    root: Path, stack: str, texts: Mapping[str, str], beside: Mapping[str, str]
) -> dict[str, Objects]:
    """The program runs once for equal files, which most tests of a kind share."""
    return _made(root, stack, tuple(texts.items()), tuple(beside.items()))


_Texts = tuple[tuple[str, str], ...]


@cache
def _made(root: Path, stack: str, texts: _Texts, beside: _Texts) -> dict[str, Objects]:
    return made_objects(root, stack, dict(texts), dict(beside))


class Trees:
    """Imports trees in a separate folder, as a user in that folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.tenants = folder / "out"
        self.tenants.mkdir()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def run(self, files: Mapping[str, str] | str, *arguments: str) -> Run:
        """`files` are texts by path, or the text of the one file `apps/a.yaml`."""
        self.write({"apps/a.yaml": files} if isinstance(files, str) else files)
        return self.run_on("apps", *arguments)

    def run_on(self, *arguments: str) -> Run:
        with mock.patch("tools.migration.importing.made_objects", _made_once):
            code = main(["import", *arguments, "--tenants", "out"])
        output = self._capsys.readouterr()
        files = {file.name: file.read_text() for file in sorted(self.tenants.iterdir())}
        return Run(code, output.out, output.err.splitlines(), files)

    def team(self, name: str = "team-alpha") -> Team:
        """The model of a file that was written."""
        loaded = load_team(self.tenants / f"{name}.yaml", name, dev_settings())
        assert [str(problem) for problem in loaded.problems] == []
        assert loaded.team
        return loaded.team


def place_in(files: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The files without their mark, and the mark's place as `FILE:LINE:COLUMN`."""
    (marked,) = [name for name, text in files.items() if MARK in text]
    before, _, after = files[marked].partition(MARK)
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return {**files, marked: before + after}, f"{marked}:{line}:{column}"
