"""A word as YAML holds it."""

import re

import yaml

_STR = "tag:yaml.org,2002:str"
_RESOLVER = yaml.SafeLoader("")

# What YAML 1.2 reads as a number, or 1.1 as true or false, and PyYAML as text.
_ELSEWHERE = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|0o[0-7]+|[yYnN]")


def plain(word: str) -> bool:
    """Whether a word of letters, digits, '.', '-' and '_' is text to every reader as it is."""
    read_as = _RESOLVER.resolve(yaml.ScalarNode, word, (True, False))
    return bool(read_as == _STR and not _ELSEWHERE.fullmatch(word))


def written(word: str) -> str:
    """The word, in quotes if it needs them."""
    return word if plain(word) else f'"{word}"'
