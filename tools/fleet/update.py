"""Updates stacks in waves, as they were previewed in the same run."""

import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from binaries.console import UserError
from tools.fleet.backend import existing
from tools.fleet.inputs import Inputs
from tools.fleet.journal import Journal
from tools.fleet.operation import Kind, Operation
from tools.fleet.outcome import BAD, StackResult
from tools.fleet.processes import INTERRUPTED, Processes
from tools.fleet.waves import waves
from tools.review.outcome import Outcome

UPDATED_BEFORE = "updated by the run that this one resumes"


@dataclass(frozen=True)
class Order:
    """In which order, and when to stop.

    `first` and `canaries` are stacks. `pause` seconds after a wave, `check` gets the stacks that it
    has updated, and returns what is wrong. No stack is started once `max_failures` were refused or
    have failed.
    """

    first: Sequence[str]
    canaries: Sequence[str]
    shares: Sequence[str]
    pause: float
    check: Callable[[Sequence[str]], str]
    max_failures: int


class Update:
    """One run. `inputs` reads the files that it depends on; `file` is the journal."""

    def __init__(
        self,
        processes: Processes,
        order: Order,
        inputs: Callable[[], Inputs],
        file: Path,
        refresh: bool,
    ) -> None:
        self._processes = processes
        self._order = order
        self._read_inputs = inputs
        self._file = file
        self._refresh = refresh
        self._results: dict[str, StackResult] = {}
        self._stopped = ""

    def run(self, stacks: Sequence[str], resumed: Journal | None) -> list[StackResult]:
        """A result for each stack.

        Raises UserError if the backend does not answer, or the journal cannot be written.
        """
        self._create(stacks)
        self._inputs = self._read_inputs()
        self._journal = Journal(inputs=self._inputs.digest, stacks=tuple(stacks))
        if resumed and resumed.inputs != self._inputs.digest:
            self._processes.progress.say("Files have changed since: every stack starts again.")
        elif resumed:
            self._journal = resumed
        self._write_journal()
        if self._stopped:
            raise UserError(self._stopped)
        for stack in self._journal.updated:
            self._results[stack] = StackResult(stack, Outcome.CHANGED, messages=(UPDATED_BEFORE,))
        with self._plans() as plans:
            self._preview(self._left(stacks), plans)
            self._update(self._left(stacks), plans)
        results = [self._results[stack] for stack in stacks]
        if not any(result.outcome in BAD for result in results):
            self._file.unlink(missing_ok=True)
        return results

    def _left(self, stacks: Sequence[str]) -> list[str]:
        return [stack for stack in stacks if stack not in self._results]

    def _create(self, stacks: Sequence[str]) -> None:
        there = existing(self._processes, stacks)
        new = [Operation(Kind.CREATE, stack, new=True) for stack in stacks if stack not in there]
        self._keep(self._processes.run(new))

    def _keep(self, results: Sequence[StackResult], but: Outcome | None = None) -> None:
        """Take results that are final: all that went wrong, and those that end so."""
        for result in results:
            if result.outcome in BAD or result.outcome is but:
                self._results[result.stack] = result

    def _preview(self, stacks: Sequence[str], plans: Path) -> None:
        previews = [self._operation(Kind.PREVIEW, stack, plans) for stack in stacks]
        self._keep(self._processes.run(previews), Outcome.UNCHANGED)

    def _update(self, stacks: Sequence[str], plans: Path) -> None:
        order = self._order
        # The run that this one resumes may have stopped because of its check.
        updated: Sequence[str] = self._journal.updated
        for wave in waves(stacks, order.first, order.canaries, order.shares):
            if updated and not self._why_not():
                self._stopped = self._processes.pause(order.pause) or self._check(updated)
            updates = [self._operation(Kind.UP, stack, plans) for stack in wave]
            results = self._processes.run(updates, self._why_not, self._ended)
            updated = [result.stack for result in results if result.outcome not in BAD]

    def _check(self, updated: Sequence[str]) -> str:
        try:
            with self._processes.interruptible():
                return self._order.check(updated)
        except KeyboardInterrupt:
            return INTERRUPTED

    @contextmanager
    def _plans(self) -> Generator[Path]:
        """An empty folder. Plans contain what states do; Pulumi encrypts the secrets in both."""
        folder = self._file.with_name("plans")
        shutil.rmtree(folder, ignore_errors=True)  # a killed run has left it
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _operation(self, kind: Kind, stack: str, plans: Path) -> Operation:
        return Operation(kind, stack, self._refresh, plans / f"{stack}.json")

    def _why_not(self) -> str:
        """Why no other update may start, or nothing."""
        outcomes = [result.outcome for result in self._results.values()]
        failures = outcomes.count(Outcome.REFUSED) + outcomes.count(Outcome.FAILED)
        if not self._stopped and failures >= self._order.max_failures:
            said = "1 failure" if failures == 1 else f"{failures} failures"
            self._stopped = f"stopped after {said} (--max-failures)"
        if not self._stopped and (path := self._inputs.changed()):
            self._stopped = f"{path} has changed since the preview"
        return self._stopped

    def _ended(self, result: StackResult) -> None:
        self._results[result.stack] = result
        if result.outcome in BAD:
            return
        self._journal = self._journal.with_updated(result.stack)
        self._write_journal()

    def _write_journal(self) -> None:
        try:
            self._journal.write(self._file)
        except OSError as error:
            self._stopped = f"{self._file} cannot be written: {error.strerror}"
