"""Runs that change nothing: previews, and comparisons with the servers."""

from collections.abc import Sequence

from tools.fleet.backend import existing
from tools.fleet.log import Log
from tools.fleet.operation import Kind, Operation
from tools.fleet.outcome import Outcome, StackResult
from tools.fleet.processes import Processes


def preview(processes: Processes, stacks: Sequence[str], refresh: bool) -> list[StackResult]:
    """What `up` would change. Raises UserError if the backend does not answer."""
    why = "does not exist yet; its first update creates it, and everything in it"
    missing = (Outcome.CHANGED, why)
    return _look(processes, Kind.PREVIEW, stacks, refresh, missing)


def drift(processes: Processes, stacks: Sequence[str]) -> list[StackResult]:
    """How the servers differ from the files. Raises UserError if the backend does not answer."""
    why = "is not in this backend, so nothing is compared; fix the backend, or create the stack"
    return _look(processes, Kind.DRIFT, stacks, True, (Outcome.FAILED, why))


def _look(
    processes: Processes,
    kind: Kind,
    stacks: Sequence[str],
    refresh: bool,
    missing: tuple[Outcome, str],
) -> list[StackResult]:
    there = existing(processes, stacks)
    known = [stack for stack in stacks if stack in there]
    done = processes.run(Operation(kind, stack, refresh) for stack in known)
    results = {result.stack: result for result in done}
    outcome, why = missing
    for stack in stacks:
        if stack not in there:
            results[stack] = StackResult(stack, outcome, messages=(why,))
            log = Log(processes.log(stack, kind))
            log.write(f"Stack '{stack}' {why}.")
            log.finish(kind, results[stack])
    return [results[stack] for stack in stacks]
