"""Pulumi's own display without repetitions."""

import re
from collections.abc import Callable
from typing import Any

from binaries.console import complain, say

Writer = Callable[[str], None]

colour_codes = re.compile(r"\033\[[0-9;]*m")

# Without a terminal, the engine prints a row when an operation begins and one when it ends; an
# error appears in both, and again under "Diagnostics".
ROW = r"^ .{1,3} *[\w.-]+:\S+:\S+ "
begun = re.compile(
    ROW + r".* (?:creat|updat|delet|replac)ing \(\d+s\)(?: \[diff: .*\])?(?:;? error: .*)?$"
)
reported_below = re.compile(
    ROW + r"\S+ +(?:(?:running|create|update|delete|replace|\*\*\w+ failed\*\*)"
    r"(?: \[diff: .*\])?;? )?error: "
)

# Meant for a stack that is kept; `make down` prints its own last line.
misleading = re.compile(
    r"The resources in the stack have been deleted|If you want to remove the stack"
)

# An inline program's error comes twice: as it was raised, and once more with these words.
repeated = re.compile(r"\s*error: an unhandled error occurred: ")
next_message = re.compile(r"\s*(error|warning|info): |\s*$")

NOISE = (begun, reported_below, misleading)


def settings(colour: bool, output: Writer = say, error: Writer = complain) -> dict[str, Any]:
    """The arguments of an Automation API operation that make it show its work."""
    return {
        "color": "always" if colour else "never",
        "suppress_progress": True,
        "suppress_outputs": True,  # `make up` ends with a table of outputs
        "on_output": filtered(output),
        "on_error": filtered(error),
    }


def filtered(write: Writer) -> Writer:
    """A writer of one stream's lines that leaves out repetitions."""
    repeating = False

    def write_once(line: str) -> None:
        nonlocal repeating
        plain = colour_codes.sub("", line).rstrip()
        if repeated.match(plain):
            repeating = True
        elif next_message.match(plain):
            repeating = False
        if not repeating and not any(noise.search(plain) for noise in NOISE):
            write(line)

    return write_once
