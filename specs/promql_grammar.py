"""PromQL as Prometheus parses it, using a port of its parser that lacks parts of the language."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import promql_parser as promql
import re2

from specs.base import LONGEST_DURATION, check_duration

# Tokens of Prometheus's lexer; within brackets, it allows no brackets, comments or strings.
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+|\#[^\r\n]*)
    |(?P<string>`[^`]*`|"(?:\\[^\n]|[^"\\\n])*"|'(?:\\[^\n]|[^'\\\n])*')
    |(?P<brackets>\[[^\[\]"'`\#]*\])
    |(?P<number>\.?[0-9](?:[eE][-+](?=[0-9])|[\w.])*)
    |(?P<name>[^\W\d][\w.:]*|:[\w.:]*)
    |(?P<sign>[=!<>]=|[=!]~|[<>]/|.)""",
    re.VERBOSE | re.DOTALL,
)
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_DECIMAL = re.compile(rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?")
# Prometheus takes an `e` after one digit or a `_` for the start of an exponent.
_HEX = re.compile(r"0[xX]_?(?![0-9a-fA-F][eE](?:[eE_]|\Z))[0-9a-fA-F]+(?:_(?![eE])[0-9a-fA-F]+)*")

# Messages to use where the parser's own would not help.
_MISSING = "an operator, a value or a comma is missing or extra"
_SAID = {"invalid promql query": _MISSING, "no expression found in input": "it is empty"}

# Words after which an operand must follow; some are metrics' names where none can follow.
_NO_NAMES = ("atan2", "bool", "on", "ignoring", "group_left", "group_right")
_NAMES_TOO = ("and", "or", "unless", "by", "without")
_BEFORE_LABELS = ("on", "ignoring", "group_left", "group_right", "by", "without")
_OPERAND = re.compile(r"[\w:)\]}\"'\n]\Z")
_EXTENDED = ("anchored", "smoothed")
_TRIM = ("</", ">/")  # these bind like comparisons
_FILL = ("fill", "fill_left", "fill_right")

# What `anchored` and `smoothed` can follow.
_SELECTOR = re.compile(r"\}|\[[^:]*\]|(?!(?i:inf|nan)\Z)[a-zA-Z_:][\w:]*")

# Go's regular expressions follow the library RE2; RE2 alone accepts these.
_GO = re2.Options()
_GO.dot_nl = True
_GO.log_errors = False
_GO.max_mem = 128 << 20
_RE2_ALONE = re.compile(
    r"\\Q.*?(?:\\E|\Z)|(?P<alone>\\C|\{[0-9]{9,}|\(\?P?<\w*[^\W\x00-\x7f]\w*>)|\\.", re.DOTALL
)

# The parts of a calculated duration.
_DURATION_OPERATORS = ("+", "-", "*", "/", "%", "^")
_DURATION_FUNCTIONS = ("step", "range", "max_of", "min_of")


class Parsed(NamedTuple):
    """An expression; `recent` is what older versions of Prometheus reject in it.

    It maps each to the first version that does not.
    """

    expression: promql.Expr
    recent: Mapping[str, str]


def parse(text: str) -> Parsed:
    """Raise ValueError if Prometheus would reject it too. Brackets must have been checked."""
    recent: dict[str, str] = {}
    return Parsed(_parsed(_translated(text, recent)), recent)


def _parsed(text: str) -> promql.Expr:
    try:
        return promql.parse(text)
    except ValueError as error:
        said = str(error)
    raise broken(_SAID.get(said, said))


def broken(said: str) -> ValueError:
    """The error to raise for an expression with this mistake."""
    return ValueError(f"is not PromQL: {said}; correct it")


def nodes(expression: promql.Expr) -> Iterator[promql.Expr]:
    """The expression and all expressions in it; promql.walk takes seconds for a few hundred."""
    todo = [expression]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, promql.BinaryExpr):
            todo += [node.lhs, node.rhs]
        elif isinstance(node, promql.Call):
            todo += node.args
        elif isinstance(node, promql.MatrixSelector):
            todo.append(node.vector_selector)
        elif isinstance(node, promql.AggregateExpr):
            todo += [node.expr] if node.param is None else [node.expr, node.param]
        elif isinstance(node, (promql.UnaryExpr, promql.ParenExpr, promql.SubqueryExpr)):
            todo.append(node.expr)


def without_literals(text: str) -> str:
    """`text` with spaces for strings and comments, in which brackets do not count."""
    return _TOKEN.sub(
        lambda token: " " * len(token[0]) if token.lastgroup in ("space", "string") else token[0],
        text,
    )


def _translated(text: str, recent: dict[str, str]) -> str:
    """`text` in the part of the language that the parser knows; `recent` gets what is new in it.

    Anything that the parser lacks or reads differently is checked here and replaced: numbers,
    durations, regular expressions, strings in backticks, `anchored` and `smoothed`.
    """
    tokens = [token for token in _TOKEN.finditer(text) if token.lastgroup != "space"]
    words = [*(token[0] for token in tokens), ""]
    said: list[str] = []
    place, operand, labels = 0, False, False  # whether an operand has just ended; is in `on (...)`
    while word := words[place]:
        kind, name = tokens[place].lastgroup, word.lower()
        place += 1
        if kind == "number":
            word = _number(word)
        elif kind == "string":
            word = _string(word)
            if said[-1:] in (["=~"], ["!~"]):
                word = _regular_expression(word)
        elif kind == "brackets":
            word = _range(word, recent)
        elif word == "[":
            raise broken("brackets may contain only a duration, such as [5m]")
        elif word in _TRIM and words[place].lower() != "bool":
            recent[word] = "3.11"
            word = "<"
        elif name in _DURATION_FUNCTIONS:
            word = name
        elif kind == "name" and ("." in word or not word.isascii()):
            raise ValueError(
                f"has the name {word} without quotes, which needs Prometheus's feature flag "
                f'promql-unquoted-utf8-names; write "{word}", and a metric\'s name within braces'
            )
        elif name in _FILL and words[place] == "(":
            raise ValueError(
                f"has the modifier {word}, which needs Prometheus's feature flag "
                "promql-binop-fill-modifiers; fill in with `or`, as in (a or b * 0) + b"
            )
        elif word == "@" or (name == "offset" and operand):
            end = _end_of_operand(words, place, calculated=word != "@")
            value = " ".join(words[place:end])
            place = end
            if word == "@":
                word = f"@ {_translated(value, recent)}"
            else:
                _check_duration(value, recent)
                word = "offset 1m"
        elif name in _EXTENDED and words[place] != "(":
            if not operand:
                word = f"{word}_"  # a metric or a label
            elif words[place] != "{":
                word = _extended(name, said)
                recent[name] = "3.16"
        said.append(word)
        labels = labels or (name in _BEFORE_LABELS and words[place] == "(")
        operand = not labels and _ends_operand(word, follows_operand=operand)
        labels = labels and word != ")"
    return " ".join(said)


def _ends_operand(word: str, *, follows_operand: bool) -> bool:
    """Whether an operand ends with `word`, so that no other operand can follow."""
    name = word.lower()
    if not _OPERAND.search(word) or name in _NO_NAMES:
        return False
    return name not in _NAMES_TOO or not follows_operand


def _end_of_operand(words: list[str], start: int, *, calculated: bool) -> int:
    """Where the duration after `offset` ends, or the time after `@`.

    A duration that starts with a parenthesis or two signs may continue with an operator.
    """
    at = start
    while True:
        while words[at] in ("+", "-"):
            at += 1
        calculated = calculated and (at - start > 1 or words[start] == "(")
        if words[at] not in ("(", ""):  # a number, or a function's name
            at += 1
        if words[at] == "(":
            at = _after_parentheses(words, at)
        if not calculated or words[at] not in _DURATION_OPERATORS:
            return at
        at += 1


def _after_parentheses(words: list[str], at: int) -> int:
    depth = 0
    while words[at]:
        depth += (words[at] == "(") - (words[at] == ")")
        at += 1
        if not depth:
            break
    return at


def _extended(modifier: str, said: list[str]) -> str:
    """The replacement for `anchored` or `smoothed`, which the parser lacks: a comment."""
    comment, target = f"#{modifier}\n", ""
    for target in reversed(said):
        if target[0] == "#" and target != comment:
            raise ValueError("has anchored and smoothed on one selector; remove one of them")
        if target[0] not in "#@" and not target.startswith("offset "):
            break
    if _SELECTOR.fullmatch(target):
        return comment
    raise ValueError(
        f"has {modifier} after something other than a selector; write it right after one, "
        f"as in rate(a[5m] {modifier})"
    )


def _number(word: str) -> str:
    """Raise ValueError unless it is a number or a duration in Prometheus."""
    if _HEX.fullmatch(word):
        value = min(int(word, 16), 2**64)
        is_counted = value < 2**63
    elif _DECIMAL.fullmatch(word):
        value = float(word)
        is_counted = value < float("inf")
    elif re.fullmatch("(?:[0-9]+[a-z]+)+", word) and word[:2] != "0x":
        check_duration(word)
        return word if re.search("[1-9]", word) else "0"  # the parser rejects `0s` as a duration
    else:
        raise broken(f"{word} is not a number or a duration")
    if not is_counted:
        raise broken(f"{word} is too large for a number")
    return str(value) if value < 2**63 else "Inf"  # so that the parser rejects it after `@`


def _string(word: str) -> str:
    """A string that the parser reads as Prometheus reads this: it finds escapes in backticks."""
    return json.dumps(word[1:-1], ensure_ascii=False) if word[0] == "`" else word


def _regular_expression(word: str) -> str:
    """One that the parser accepts, and that matches the empty text if this one does."""
    literal = _parsed(word)
    assert isinstance(literal, promql.StringLiteral)
    try:
        expression = re2.compile(literal.val, _GO)
    except re2.error as error:
        said = error.args[0].decode(errors="replace")
    else:
        alone = [found["alone"] for found in _RE2_ALONE.finditer(literal.val) if found["alone"]]
        if not alone:
            return '".*"' if expression.fullmatch("") else '".+"'
        said = f"Go has no {alone[0]}"
    raise ValueError(f"has a regular expression that Prometheus cannot read ({said}); correct it")


def _range(word: str, recent: dict[str, str]) -> str:
    """The content of brackets: one duration, or two with a colon; the second may be missing."""
    duration, colon, step = word[1:-1].partition(":")
    _check_duration(duration, recent, is_range=True)
    if step.strip():
        _check_duration(step, recent, is_range=True)
    return f"[1m{colon}]"


def _check_duration(text: str, recent: dict[str, str], *, is_range: bool = False) -> None:
    """Raise ValueError unless it is a duration, literal or calculated."""
    if not text.strip():
        raise broken("a duration such as 5m is missing")
    expression = parse(text).expression
    if not re.fullmatch(r"\s*[-+]?\s*[\w.]+\s*", text):
        recent["a calculated duration"] = "3.14"
    if is_range and isinstance(expression, promql.NumberLiteral) and expression.val <= 0:
        raise broken(f"the duration {text.strip()} must be longer than 0")
    for node in nodes(expression):
        if isinstance(node, promql.NumberLiteral):
            if not abs(node.val) <= LONGEST_DURATION / 1000:
                raise ValueError("has a duration that is too long for Prometheus; shorten it")
        elif isinstance(node, promql.BinaryExpr) and str(node.op) in _DURATION_OPERATORS:
            by = node.rhs
            if str(node.op) in ("/", "%") and isinstance(by, promql.NumberLiteral) and not by.val:
                raise broken(f"the duration {text.strip()} is divided by zero")
        elif not isinstance(node, (promql.UnaryExpr, promql.ParenExpr)) and not (
            isinstance(node, promql.Call) and node.func.name in _DURATION_FUNCTIONS
        ):
            raise broken(f"{text.strip()} is not a duration such as 5m")
