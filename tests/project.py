"""A small project in which the commands of `./sre` that change files are run."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.repository import Repository
from tests.written import ROOT

CLUSTER = """\
kubernetes: {clusterIdentifier: prod}
harbor: {sharedProjects: [base-images]}
"""
OWNERS = """\
# Whose approval a change needs.
*                     @example-org/platform
/tenants/team-a.yaml  @example-org/team-a-developers
/tenants/team-c.yaml  @example-org/team-c-developers
"""


def team_stack(*teams: str, cluster: str = "prod") -> str:
    """The file of a stack of a cluster."""
    return (
        f"config:\n  sre-platform:cluster: {cluster}\n  sre-platform:teams: [{', '.join(teams)}]\n"
    )


class Project:
    """A repository with two teams, their stacks, the platform's and `dev`; the current folder."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._repository = Repository(root)
        self.root = root
        self.write("Pulumi.dev.yaml", (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
        self.write("Pulumi.platform.yaml", f"{team_stack()}  sre-platform:platform: true\n")
        self.write("clusters/prod.yaml", CLUSTER)
        self.write(".github/CODEOWNERS", OWNERS)
        for team in ("team-a", "team-c"):
            self.write(f"Pulumi.{team}.yaml", team_stack(team))
            self.write(f"tenants/{team}.yaml", f"# Its file.\nteam: {team}\n")
        self._repository.commit()
        for name, module in list(sys.modules.items()):
            if name.startswith("cli.") and getattr(module, "ROOT", None) == ROOT:
                monkeypatch.setattr(module, "ROOT", root)
        monkeypatch.chdir(root)

    def write(self, file: str, text: str) -> None:
        self._repository.write(file, text)

    def read(self, file: str) -> str:
        """The text of a file, with its line ends."""
        return (self.root / file).read_bytes().decode()

    def files(self) -> dict[str, bytes]:
        """Every file but Git's."""
        return {
            str(file.relative_to(self.root)): file.read_bytes()
            for file in self.root.rglob("*")
            if file.is_file() and ".git" not in file.relative_to(self.root).parts
        }

    def put_back(self, files: Mapping[str, bytes]) -> None:
        """Have exactly these files."""
        for name in self.files():
            (self.root / name).unlink()
        for name, content in files.items():
            (self.root / name).write_bytes(content)

    def changed(self) -> list[str]:
        """The lines of `git status --porcelain`."""
        return self._repository.git("status", "--porcelain", "-uall").split("\n")

    def refused(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
        """What `./sre` says of a change for which it writes nothing."""
        capsys.readouterr()
        before = self.files()
        assert main([*arguments]) == 1
        assert self.files() == before
        said = capsys.readouterr()
        assert said.out == ""
        return said.err.removesuffix("\n")


def validate(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code of `./sre validate`, and what it says that is wrong."""
    code = main(["validate"])
    return code, capsys.readouterr().err.splitlines()


def before_writing(monkeypatch: pytest.MonkeyPatch, name: str, do: Callable[[], None]) -> None:
    """Do it before a file of this name is put in its place."""
    replace = Path.replace

    def replaced(scratch: Path, target: Path) -> Path:
        if target.name == name:
            do()
        return replace(scratch, target)

    monkeypatch.setattr(Path, "replace", replaced)
