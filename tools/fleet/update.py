"""Updates stacks in waves, as they were previewed in the same run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.fleet.backend import existing
from tools.fleet.inputs import Inputs
from tools.fleet.journal import Journal
from tools.fleet.operation import Kind, Operation
from tools.fleet.outcome import BAD, Outcome, StackResult
from tools.fleet.processes import Processes
from tools.fleet.waves import waves

UPDATED_BEFORE = "updated by the run that this one resumes"


@dataclass(frozen=True)
class Order:
    """In which order, and when to stop.

    `first` and `canaries` are stacks. `check` gets the stacks of a wave that has ended, and returns
    what is wrong; the next wave starts `pause` seconds later. No stack is started once
    `max_failures` were refused or have failed.
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
        """A result for each stack. Raises UserError if the backend does not answer."""
        self._create(stacks)
        self._inputs = self._read_inputs()
        self._journal = Journal(inputs=self._inputs.digest, stacks=tuple(stacks))
        if resumed and resumed.inputs != self._inputs.digest:
            self._processes.progress.say("Files have changed since: every stack starts again.")
        elif resumed:
            self._journal = resumed
        self._journal.write(self._file)
        for stack in self._journal.updated:
            self._results[stack] = StackResult(stack, Outcome.CHANGED, messages=(UPDATED_BEFORE,))
        # Plans contain what the state does; Pulumi encrypts the secrets in both.
        with TemporaryDirectory(prefix="sre-fleet-") as plans:
            self._preview(self._left(stacks), Path(plans))
            self._update(self._left(stacks), Path(plans))
        results = [self._results[stack] for stack in stacks]
        if not any(result.outcome in BAD for result in results):
            self._file.unlink()
        return results

    def _left(self, stacks: Sequence[str]) -> list[str]:
        return [stack for stack in stacks if stack not in self._results]

    def _create(self, stacks: Sequence[str]) -> None:
        processes = self._processes
        there = existing(processes.root, processes.cli, processes.credentials, stacks)
        new = [Operation(Kind.CREATE, stack) for stack in stacks if stack not in there]
        self._keep(processes.run(new))

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
        ended: Sequence[str] = ()
        for wave in waves(stacks, order.first, order.canaries, order.shares):
            if ended and not self._why_not():
                self._stopped = self._processes.pause(order.pause) or order.check(ended)
            updates = [self._operation(Kind.UP, stack, plans) for stack in wave]
            self._processes.run(updates, self._why_not, self._ended)
            ended = wave

    def _operation(self, kind: Kind, stack: str, plans: Path) -> Operation:
        return Operation(kind, stack, self._refresh, plans / f"{stack}.json")

    def _why_not(self) -> str:
        """Why no other update may start, or nothing."""
        outcomes = [result.outcome for result in self._results.values()]
        failures = outcomes.count(Outcome.REFUSED) + outcomes.count(Outcome.FAILED)
        if not self._stopped and failures >= self._order.max_failures:
            self._stopped = f"stopped after {failures} stacks that failed (--max-failures)"
        if not self._stopped and (path := self._inputs.changed()):
            self._stopped = f"{path} has changed since the preview"
        return self._stopped

    def _ended(self, result: StackResult) -> None:
        self._results[result.stack] = result
        if result.outcome in BAD:
            return
        self._journal = self._journal.with_updated(result.stack)
        try:
            self._journal.write(self._file)
        except OSError as error:
            self._stopped = f"{self._file} cannot be written: {error.strerror}"
