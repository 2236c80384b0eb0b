"""The result of a run over many stacks, in the forms that people and pipelines read."""

import json
from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from plain.table import columns, markdown
from tools.fleet.operation import Kind
from tools.fleet.outcome import StackResult
from tools.review.outcome import Outcome, counted, totals

_HEAD = ("STACK", "OUTCOME", "TIME", "CHANGES")
_TAGS = {Outcome.REFUSED: "failure", Outcome.FAILED: "error", Outcome.NOT_RUN: "skipped"}


def as_table(kind: Kind, results: Sequence[StackResult]) -> str:
    """Rows, then the messages of each stack that has some, then the totals."""
    lines = [*columns([_HEAD, *map(_row, results)])] if results else []
    for result in results:
        if result.messages:
            lines += ["", f"{result.stack}: {result.outcome}"]
            lines += [f"  {message}" for message in result.messages]
    return "\n".join([*lines, *([""] if lines else []), _totals(kind, results), ""])


def as_markdown(kind: Kind, results: Sequence[StackResult]) -> str:
    """For a pull request or a job's summary."""
    lines = [f"**{_totals(kind, results)}**", ""]
    if results:
        lines += markdown([tuple(cell.capitalize() for cell in _HEAD), *map(_row, results)])
    for result in results:
        if result.messages:
            lines += ["", f"`{result.stack}`: {result.outcome}", ""]
            lines += [f"    {message}" for message in result.messages]  # as code, whatever it is
    return "\n".join([*lines, ""])


def as_json(kind: Kind, results: Sequence[StackResult]) -> str:
    """`command`, `totals`, and `stacks` with all that is known of each."""
    stacks = [
        {
            "stack": one.stack,
            "outcome": one.outcome,
            "changes": one.changes,
            "seconds": one.seconds,
            "messages": one.messages,
        }
        for one in results
    ]
    report = {"command": kind, "totals": counted(_outcomes(results)), "stacks": stacks}
    return json.dumps(report, indent=2) + "\n"


def as_junit(kind: Kind, results: Sequence[StackResult]) -> str:
    """A test case per stack: `refused` and drift are failures, `failed` is an error."""
    suite = Element("testsuite", name=f"fleet {kind}", tests=str(len(results)))
    totals = dict.fromkeys(("failures", "errors", "skipped"), 0)
    for result in results:
        case = SubElement(
            suite,
            "testcase",
            classname=f"fleet.{kind}",
            name=result.stack,
            time=f"{result.seconds}",
        )
        found = _TAGS.get(result.outcome)
        if kind is Kind.DRIFT and result.outcome is Outcome.CHANGED:
            found = "failure"
        if found:
            message = result.messages[0] if result.messages else result.summary or result.outcome
            SubElement(case, found, message=message).text = "\n".join(result.messages)
            totals[found if found == "skipped" else f"{found}s"] += 1
        else:
            said = f": {result.summary}" if result.summary else ""
            SubElement(case, "system-out").text = f"{result.outcome}{said}"
    for name, count in totals.items():
        suite.set(name, str(count))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


FORMATS: Mapping[str, Callable[[Kind, Sequence[StackResult]], str]] = {
    "table": as_table,
    "json": as_json,
    "markdown": as_markdown,
    "junit": as_junit,
}


def _row(result: StackResult) -> tuple[str, ...]:
    took = f"{result.seconds:.1f} s" if result.seconds else "-"
    return result.stack, str(result.outcome), took, result.summary or "-"


def _totals(kind: Kind, results: Sequence[StackResult]) -> str:
    return totals(kind, _outcomes(results)) if results else "No stacks."


def _outcomes(results: Sequence[StackResult]) -> list[Outcome]:
    return [result.outcome for result in results]
