"""The blocks of code in the pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.program import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

# A fenced block, and the comment above it that says what the block is to the tests:
# `<!-- file: PATH -->`: a file that the page tells to write; `<!-- not run: WHY -->`: commands to
# pass over.
_BLOCK = re.compile(
    r"^(?:<!-- (?P<role>file|not run): (?P<about>[^\n]*) -->\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `role` and `about` are what the comment above it says."""

    page: Path
    line: int
    language: str
    text: str
    role: str
    about: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(
            page, line, match["language"], match["text"], match["role"] or "", match["about"] or ""
        )
