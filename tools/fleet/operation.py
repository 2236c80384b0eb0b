"""One operation on one stack, by Pulumi's Automation API, in a process that was made for it."""

import re
import runpy
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pulumi
from pulumi.automation import (
    CommandError,
    EngineEvent,
    LocalWorkspace,
    OutputMap,
    PulumiCommand,
    PulumiFn,
    Stack,
    UpdateSummary,
)
from pulumi.automation._stack import StackInitMode

from binaries import display
from specs.fleet import TeamsFolder, load_stack
from specs.stack_file import read_stack, stack_source
from tools.fleet.outcome import OUTPUTS, StackResult, printable
from tools.review.outcome import Outcome

_STACK_TYPE = "pulumi:pulumi:Stack"
_PROTECTED = "because it is protected"
_LOCKED = "the stack is currently locked"
_NEW = "does not exist yet; its first update creates it, and everything in it"
_EMPTY_LOCK = "unexpected end of JSON input"
# What a plan has and the first error kept from being done.
_undone = re.compile(r"expected resource operations for .* but none were seen")
# A line, or a list of several.
_error = re.compile(r"\berror: (.+(?:\n +[0-9]+\) .+)*)")


class Kind(StrEnum):
    """What is done to a stack; there is no command for the first alone."""

    CREATE = "create"
    PREVIEW = "preview"
    DRIFT = "drift"
    UP = "up"


@dataclass(frozen=True)
class Operation:
    """One for `stack`; with `refresh`, the servers are read first.

    A preview writes its plan into `plan`, and `up` does only what that file says. If the backend
    lacks the stack, it is `new`: a preview only checks its files.
    """

    kind: Kind
    stack: str
    refresh: bool = False
    plan: Path | None = None
    new: bool = False


class _Workspace(LocalWorkspace):
    """Runs no command beside the operation's own, because each takes a third of a second."""

    def select_stack(self, stack_name: str) -> None:
        """Selects nothing: each command names its stack."""

    def stack_outputs(self, stack_name: str) -> OutputMap:
        """None: nothing uses them."""
        return {}


class _Stack(Stack):
    """The results of its operations have no history."""

    def __init__(self, name: str, root: Path, program: PulumiFn, cli: PulumiCommand) -> None:
        workspace = _Workspace(work_dir=str(root), program=program, pulumi_command=cli)
        super().__init__(name, workspace, StackInitMode.SELECT)

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        return UpdateSummary("", datetime.now(UTC), "", {}, {}, "succeeded")


class _Events:
    """What the engine reports while it works; `moved` gets the number of resources so far."""

    def __init__(self, moved: Callable[[int], None]) -> None:
        self.outputs_differ = False
        self._operations: dict[str, int] = {}
        self.errors: list[str] = []
        self.violations: list[str] = []
        self._moved = moved
        self._resources = 0

    def __call__(self, event: EngineEvent) -> None:
        if event.resource_pre_event:
            self._resources += 1
            self._moved(self._resources)
        elif event.res_outputs_event:
            step = event.res_outputs_event.metadata
            if step.type == _STACK_TYPE and step.old and step.new:
                self.outputs_differ = (step.old.outputs or {}) != (step.new.outputs or {})
        elif event.summary_event:
            self._operations = {
                str(getattr(operation, "value", operation)): count
                for operation, count in event.summary_event.resource_changes.items()
            }
        elif (policy := event.policy_event) and policy.enforcement_level == "mandatory":
            self.violations.append(printable(f"{policy.policy_name}: {policy.message}"))
        elif (said := event.diagnostic_event) and said.severity == "error":
            self.errors.append(printable(f"{_resource(said.urn)}{said.message}"))

    @property
    def changes(self) -> dict[str, int]:
        """Resources by what is done to them, and the stack's outputs."""
        changes = {name: count for name, count in self._operations.items() if name != "same"}
        return {**changes, OUTPUTS: 1} if self.outputs_differ else changes


class Run:
    """Runs operations of a checkout's program; `write` gets each line that Pulumi prints."""

    def __init__(
        self,
        root: Path,
        cli: PulumiCommand,
        write: Callable[[str], None],
        moved: Callable[[int], None],
    ) -> None:
        self._root = root
        self._cli = cli
        self._write = display.filtered(write)
        self._events = _Events(moved)
        self._refusal: list[str] = []

    def operate(self, operation: Operation) -> StackResult:
        """Every failure is a result; KeyboardInterrupt if a signal ended it."""
        if operation.new and (problems := _problems(self._root, operation.stack)):
            for problem in problems:
                self._write(problem)
            return StackResult(operation.stack, Outcome.REFUSED, messages=problems)
        if operation.new and operation.kind is Kind.PREVIEW:
            self._write(f"Stack '{operation.stack}' {_NEW}.")
            return StackResult(operation.stack, Outcome.CHANGED, messages=(_NEW,))
        try:
            self._start(operation)
        except CommandError as error:
            outcome, messages = self._failure(operation, str(error))
            return StackResult(operation.stack, outcome, messages=tuple(messages))
        changes = self._events.changes
        outcome = Outcome.CHANGED if changes else Outcome.UNCHANGED
        return StackResult(operation.stack, outcome, changes)

    def _start(self, operation: Operation) -> None:
        if operation.kind is Kind.CREATE:
            command = ["stack", "init", "--no-select", operation.stack]
            self._cli.run(command, str(self._root), {}, self._write, self._write)
            return
        stack = _Stack(operation.stack, self._root, self._program, self._cli)
        settings: dict[str, Any] = {
            "refresh": operation.refresh or None,
            # With the program's own providers: those in the state may have a former password.
            "run_program": operation.refresh or None,
            "plan": str(operation.plan) if operation.plan else None,
            "diff": True,
            "color": "never",
            "suppress_progress": True,
            "suppress_outputs": True,
            "on_output": self._write,
            "on_error": self._write,
            "on_event": self._events,
        }
        if operation.kind is Kind.UP:
            stack.up(**settings)
        else:
            stack.preview(**settings)

    def _program(self) -> None:
        try:
            with chdir(self._root):
                runpy.run_path(str(self._root / "__main__.py"), run_name="__main__")
        except pulumi.RunError as error:
            self._refusal += str(error).splitlines()
            raise

    def _failure(self, operation: Operation, printed: str) -> tuple[Outcome, Sequence[str]]:
        if refused := self._refusal or self._events.violations:
            return Outcome.REFUSED, refused
        # Pulumi's own error names no file.
        unreadable = stack_source(self._root, operation.stack).problems
        if operation.kind is not Kind.UP and unreadable:
            return Outcome.REFUSED, [str(problem) for problem in unreadable]
        errors = self._events.errors or [printable(error) for error in _error.findall(printed)]
        if operation.kind is not Kind.UP and _PROTECTED in printed:
            return Outcome.REFUSED, errors
        if _LOCKED in printed:
            return Outcome.FAILED, [locked(operation.stack)]
        if _EMPTY_LOCK in errors:
            return Outcome.FAILED, [_half_locked(operation.stack)]
        causes = [error for error in errors if not _undone.search(error)]
        return Outcome.FAILED, causes or errors or ["Pulumi failed without an error; see the log"]


def _problems(root: Path, stack: str) -> tuple[str, ...]:
    """What is wrong in the files of a stack, whatever its state."""
    settings, problems = read_stack(root, stack)
    if settings and not problems:
        folder = TeamsFolder(root / settings.tenants, settings.tenants)
        problems = list(load_stack(folder, settings).problems)
    return tuple(map(str, problems))


def locked(stack: str) -> str:
    """What to do about a lock that another run has, or that a killed one has left."""
    return (
        "another run has the stack's lock; wait for its end or, if it was killed, remove the "
        f"lock: pulumi cancel --yes --stack {stack}"
    )


def _half_locked(stack: str) -> str:
    """A file backend writes locks as it does states; where there was no room, one is empty."""
    return (
        "the backend has a lock without content, as a full disk leaves it; free some space, wait "
        f"for the end of other runs, then remove the lock: pulumi cancel --yes --stack {stack}"
    )


def _resource(urn: str | None) -> str:
    """`Deployment team-alpha/my-api: `; nothing for the stack itself."""
    if not urn:
        return ""
    _, _, types, name = urn.split("::", maxsplit=3)
    kind = types.rpartition("$")[2]
    return "" if kind == _STACK_TYPE else f"{kind.rpartition(':')[2]} {name}: "
