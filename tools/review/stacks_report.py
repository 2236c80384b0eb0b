"""CI's results for stacks, as one Markdown text for a GitHub comment or issue.

`python -m tools.review.stacks_report TITLE FOLDER` reads `<stack>.diff.md` of `scripts/stack`, the
logs of `./sre fleet`, `<stack>.preview.txt` or `<stack>.drift.txt`, and `notes.md`, which comes
before the stacks.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools.review import comment
from tools.review.outcome import OUTCOME, Outcome, totals

LIMIT = comment.LIMIT - 536  # characters

_DIFF = ".diff.md"
_FAILED = "FAILED: "  # the beginning of the last line on failure, of diffs and logs
_TOO_LONG = "_Too long to show here; see this run's artifacts._"


def report(title: str, folder: Path, limit: int = LIMIT) -> str:
    """Totals, then a section per stack: its diff and, folded, its log and the output of failures.

    Diffs that do not fit are left out completely; logs share the remaining space.
    """
    files = sorted(path for path in folder.glob("*.*.*") if path.suffix in (".md", ".txt"))
    texts = {path: path.read_text(encoding="utf-8", errors="replace").strip() for path in files}
    lines = [f"<!-- sre-platform: {title} -->", f"## {title}", "", *_totals(texts)]
    notes = folder / "notes.md"
    if notes.exists():
        lines += [notes.read_text(encoding="utf-8"), ""]
    if not files:
        lines.append("No stack is affected.")
    frames = {path: _frame(path, texts[path]) for path in files}
    left = limit - sum(len(line) + 1 for line in lines)
    left -= sum(len(before) + len(_TOO_LONG) + len(after) + 6 for before, after in frames.values())
    shown: dict[Path, str] = {}
    for path in files:
        if path.name.endswith(_DIFF):
            fits = len(texts[path]) <= left
            shown[path] = texts[path] if fits else _TOO_LONG
            left -= len(texts[path]) if fits else 0
    outputs = [path for path in files if path not in shown]
    for path, share in zip(outputs, _shares([len(texts[p]) for p in outputs], left), strict=True):
        shown[path] = texts[path] if len(texts[path]) <= share else _ends(texts[path], share)
    for path in files:
        before, after = frames[path]
        lines += [before, shown[path], after, ""]
    return "\n".join(lines)[:limit]


def _totals(texts: Mapping[Path, str]) -> Iterator[str]:
    """Lines with how many stacks ended how, in all jobs."""
    for kind in ("preview", "drift"):
        logs = [text for path, text in texts.items() if path.name.endswith(f".{kind}.txt")]
        if logs:
            yield from (f"**{totals(kind, map(_outcome, logs))}**", "")


def _outcome(text: str) -> Outcome:
    """What a log says at its end; one that was cut off has failed."""
    end = text.splitlines()[-2:]
    return next((each for each in Outcome if f"{OUTCOME}{each}" in end), Outcome.FAILED)


def _frame(path: Path, text: str) -> tuple[str, str]:
    """The text before and after a file's content."""
    stack, _, what = path.name.removesuffix(path.suffix).rpartition(".")
    diff = path.name.endswith(_DIFF)
    last = text.rpartition("\n")[2]
    failed = last.startswith(_FAILED) if diff else not last.startswith(OUTCOME)
    said = f"{stack}: {what}{' failed' if failed else ''}"
    # A failed diff's text is its stderr: it may contain anything, and is not this program's
    # Markdown.
    if diff and not failed:
        return f"### {said}\n", ""
    fence = comment.fence(text, least=3)
    opening = f"<details{' open' if failed else ''}><summary>{said}</summary>\n\n{fence}text"
    return opening, f"{fence}\n</details>"


def _shares(lengths: Sequence[int], total: int) -> list[int]:
    """Each one's share of `total`: the long ones divide what the short ones do not need."""
    shares = [0] * len(lengths)
    left = max(total, 0)
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    for done, index in enumerate(by_length):
        shares[index] = min(lengths[index], left // (len(lengths) - done))
        left -= shares[index]
    return shares


def _ends(text: str, size: int) -> str:
    """The first and the last lines of `text`, in `size` characters: failures come last."""
    mark = "\n... (see this run's artifacts for the full text)\n"
    half = (size - len(mark)) // 2
    if half <= 0:
        return ""
    first = text[:half].rpartition("\n")[0]
    last = text[-half:].partition("\n")[2]
    return f"{first}{mark}{last}"


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(prog="python -m tools.review.stacks_report")
    parser.add_argument("title")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    print(report(arguments.title, arguments.folder))


if __name__ == "__main__":
    main()
