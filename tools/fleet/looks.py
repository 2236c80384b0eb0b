"""Runs that change nothing: previews, and comparisons with the servers."""

from collections.abc import Sequence

from tools.fleet.backend import existing
from tools.fleet.log import Log
from tools.fleet.operation import Kind, Operation
from tools.fleet.outcome import StackResult
from tools.fleet.processes import Processes
from tools.review.outcome import Outcome

_MISSING = "is not in this backend, so nothing is compared; fix the backend, or create the stack"


def preview(processes: Processes, stacks: Sequence[str], refresh: bool) -> list[StackResult]:
    """What `up` would change. Raises UserError if the backend does not answer."""
    there = existing(processes, stacks)
    return processes.run(
        Operation(Kind.PREVIEW, stack, refresh)
        if stack in there
        else Operation(Kind.PREVIEW, stack, new=True)
        for stack in stacks
    )


def drift(processes: Processes, stacks: Sequence[str]) -> list[StackResult]:
    """How the servers differ from the files. Raises UserError if the backend does not answer."""
    there = existing(processes, stacks)
    known = [stack for stack in stacks if stack in there]
    done = processes.run(Operation(Kind.DRIFT, stack, refresh=True) for stack in known)
    results = {result.stack: result for result in done}
    return [results.get(stack) or _missing(processes, stack) for stack in stacks]


def _missing(processes: Processes, stack: str) -> StackResult:
    result = StackResult(stack, Outcome.FAILED, messages=(_MISSING,))
    log = Log(processes.log(stack, Kind.DRIFT))
    log.write(f"Stack '{stack}' {_MISSING}.")
    log.finish(Kind.DRIFT, result)
    return result
