"""A word in YAML."""

from specs.readers import AMBIGUOUS


def written(word: str) -> str:
    """A word of letters, digits, '.', '-' and '_', in quotes if some reader would need them."""
    return f'"{word}"' if AMBIGUOUS.fullmatch(word) else word
