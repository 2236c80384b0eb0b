"""What GitHub takes as a comment on a pull request."""

import re

LIMIT = 65_536  # characters


def fence(text: str, least: int = 1) -> str:
    """Backticks that nothing in `text` can end: more than it has in a row, and `least` of them."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))
