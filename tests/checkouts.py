"""Copies of the checkout with a sandbox of their own, in which commands run as `make` runs them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from clients.local_servers import FOLDER, running
from sandbox.official import CHOICE, STAND_IN

ROOT = Path(__file__).parents[1]
# Compiled files are copied, so that no copy compiles them again; what Python is just writing
# (`*.pyc.*`) does not, as it is gone in a moment.
LEFT_OUT = shutil.ignore_patterns(".venv", ".sandbox", ".git", ".*_cache", "*.pyc.*", "tests")

# A line of Pulumi's display: what happened, to which type, by which name.
_STEP = re.compile(r"^ (?P<sign>[+~-]|[+-]{2}) +(?P<type>\S+:\S+:\S+) (?P<name>\S+) (?P<word>\w+)")


@dataclass(frozen=True)
class Run:
    """One command: exit code and everything it printed."""

    code: int
    output: str

    def steps(self, word: str) -> set[str]:
        """`type name` of each resource that was `created`, `updated`, `deleted`, ..."""
        found = (_STEP.match(line) for line in self.output.splitlines())
        return {
            f"{step['type'].rpartition(':')[2]} {step['name']}"
            for step in found
            if step and step["word"] == word
        }

    def count(self, word: str) -> int:
        """How many resources the summary says were `created`, `unchanged`, `to update`, ..."""
        match = re.search(rf"^ +(?:\S+ )?(\d+) {word}$", self.output, re.MULTILINE)
        return int(match[1]) if match else 0


def finished(process: subprocess.Popen[str], within: float) -> Run:
    """Its end; one that takes longer than `within`, in seconds, is killed with its group."""
    try:
        output, _ = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return Run(process.returncode, output)


class Checkout:
    """A copy of the checkout with its own sandbox."""

    module = "sandbox"  # takes the commands
    python = sys.executable  # runs those that are awaited
    environment: Mapping[str, str] = MappingProxyType({})  # of all

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        self.folder = folder
        self.as_copied = self.files()

    @classmethod
    def twin(cls, other: "Checkout", folder: Path) -> Self:
        """The same with all that `other` has provisioned, in another folder."""
        twin = cls.__new__(cls)
        twin.folder = Path(shutil.copytree(other.folder, folder))
        twin.as_copied = other.as_copied
        return twin

    def files(self) -> dict[str, bytes]:
        """Every file but the sandbox's and Python's own, and what is in it."""
        return {
            str(file.relative_to(self.folder)): file.read_bytes()
            for file in self.folder.rglob("*")
            if file.is_file() and not {".sandbox", "__pycache__"} & set(file.parts)
        }

    def start(self, command: str, **environment: str) -> subprocess.Popen[str]:
        """A run in a separate process group, as a terminal would start it.

        It gets the signals that a test sends. The providers are the sandbox's own, whichever
        plugins this machine has, and none of the parts of the platform is started.
        """
        return self._start(sys.executable, command, environment)

    def _start(
        self, python: str, command: str, environment: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        arguments = [python, "-m", self.module, *command.split()]
        own = {"NO_COLOR": "1", CHOICE: STAND_IN, "PARTS": "none"}
        return self.start_program(
            arguments, {**os.environ, **own, **self.environment, **environment}
        )

    def start_program(
        self, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        """As `start` does, with nothing but `environment`."""
        return subprocess.Popen(
            arguments,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
            env=environment,
        )

    def run(self, command: str, within: float = 300, **environment: str) -> Run:
        """`within` is in seconds."""
        return finished(self._start(self.python, command, environment), within)

    def up(self) -> Run:
        """`make up`, which must succeed."""
        run = self.run("up")
        assert run.code == 0, run.output
        return run

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def restore(self, file: str) -> None:
        shutil.copyfile(ROOT / file, self.folder / file)

    def put_back(self, cluster: Mapping[str, Any], *folders: str) -> None:
        """The stack's file and those in `folders` are as copied; an `up` has the rest follow.

        That takes no `up` where `cluster` still is what the state records.
        """
        for folder in folders:
            shutil.rmtree(self.folder / folder)
            shutil.copytree(ROOT / folder, self.folder / folder)
        self.restore("Pulumi.dev.yaml")
        if self.cluster() != cluster:
            self.up()

    def state(self) -> str:
        """The state file, as it is on disk."""
        return self._state_file().read_text(encoding="utf-8")

    def resources(self) -> list[dict[str, Any]]:
        """What the state records, but for the engine's own provider, which no summary counts."""
        listed = json.loads(self.state())["checkpoint"]["latest"].get("resources") or []
        return [one for one in listed if one["type"] != "pulumi:providers:pulumi"]

    def names(self) -> set[str]:
        """`type name` of all that the state records, but for providers and components."""
        return {
            f"{resource['type'].rpartition(':')[2]} {resource['urn'].rpartition('::')[2]}"
            for resource in self.resources()
            if resource["type"].partition(":")[0] in ("kubernetes", "harbor", "vault")
        }

    def cluster(self) -> dict[str, Any]:
        """What each Kubernetes object of the state was last asked to be."""
        return {
            resource["urn"]: resource["inputs"]
            for resource in self.resources()
            if resource["type"].startswith("kubernetes:")
        }

    def _state_file(self) -> Path:
        place = self.folder / (FOLDER if running(self.folder) else ".sandbox")
        return place / "state/.pulumi/stacks/sre-platform/dev.json"
