"""Limits and form of a GitHub comment on a pull request."""

import re

LIMIT = 65_536  # characters


def fence(text: str, least: int = 1) -> str:
    """Backticks that `text` cannot end: more than it has in a row, and at least `least`."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))
