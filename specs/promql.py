"""Whether Prometheus can run an alert's expression, as far as that can be told without it."""

import json
import re
from collections.abc import Iterator

import promql_parser as promql

# Strings and comments, in which brackets are none; in backticks nothing is escaped. And numbers as
# 1_000, whose digits the parser does not put together.
_LITERAL = re.compile(
    r"""`(?P<raw>[^`]*)`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\#[^\n]*
    |(?P<number>(?<![\w:.])[0-9]+(?:_[0-9]+)+)""",
    re.VERBOSE,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}

# The parser follows brackets and operators down without a bound of its own. This is far above what
# people write and far below what it can hold.
_MOST_STEPS = 300
_STEP = re.compile(r"[(\[{]|[-+*/%^<>=!~]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)

# What to say instead of the parser's own words where these would not help.
_SAID = {
    "invalid promql query": "an operator, a value or a comma is missing or extra",
    "no expression found in input": "it is empty",
}

# Where Go's regular expressions are not the parser's: what Go alone reads, and what it refuses.
_GO_ALONE = re.compile(r"\[\^?[^\]]*\[(?!:)|\\Q|\\[0-7]")
_IN_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*\]", re.DOTALL)
_REPEATED_TWICE = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\?*+(?:[*+]|\{[0-9]+(?:,[0-9]*)?\})")

_RANGES = (promql.MatrixSelector, promql.SubqueryExpr)
_EXPERIMENTAL_AGGREGATIONS = ("limitk", "limit_ratio")


def check_expression(text: str) -> None:
    """Raise ValueError unless `text` is an expression that an alert can have."""
    _check_brackets(text)
    if len(_STEP.findall(_LITERAL.sub("", text))) > _MOST_STEPS:
        raise ValueError(
            f"has more than {_MOST_STEPS} brackets and operators; split it into several alerts"
        )
    expression = _parse(text)
    if expression is None:
        return
    while isinstance(expression, promql.ParenExpr):
        expression = expression.expr
    if isinstance(expression, _RANGES):
        raise ValueError(
            "must not be a range of values; reduce it, for example with max_over_time(...)"
        )
    if isinstance(expression, promql.StringLiteral):
        raise ValueError("must not be a string; write an expression such as up == 0")
    for node in _nodes(expression):
        if isinstance(node, promql.VectorSelector):
            _check_matchers(node.matchers)


def experimental(text: str) -> list[str]:
    """Functions in a sound expression that Prometheus refuses unless a feature flag is on."""
    expression = _parse(text)
    used = [_function(node) for node in _nodes(expression)] if expression else []
    return sorted({name for name in used if name})


def _function(node: promql.Expr) -> str:
    """The name of the experimental function that `node` calls, if it does."""
    if isinstance(node, promql.Call) and node.func.experimental:
        return str(node.func.name)
    if isinstance(node, promql.AggregateExpr) and str(node.op) in _EXPERIMENTAL_AGGREGATIONS:
        return str(node.op)
    return ""


def _parse(text: str) -> promql.Expr | None:
    """Raise ValueError where Prometheus would too; None where the parser cannot tell."""
    try:
        # The parser reads escapes in backticks, and stops at a '_' in a number.
        return promql.parse(_LITERAL.sub(_plainer, text))
    except ValueError as error:
        said = str(error)
    if said.startswith("illegal regex for ") and _GO_ALONE.search(said):
        return None
    raise ValueError(f"is not PromQL: {_SAID.get(said, said)}; correct it") from None


def _plainer(match: re.Match[str]) -> str:
    """The same literal in a form that the parser reads as Prometheus does."""
    if match["number"]:
        return match["number"].replace("_", "")
    return match[0] if match["raw"] is None else json.dumps(match["raw"], ensure_ascii=False)


def _check_brackets(text: str) -> None:
    """Raise ValueError where one is not closed, or a quote: the parser does not say where."""
    bare = _LITERAL.sub(lambda match: " " * len(match[0]), text)
    if quote := re.search("[\"'`]", bare):
        raise ValueError(f"{_at(text, quote.start())} is never closed; close it")
    opened: list[int] = []
    for place, character in enumerate(bare):
        if character in _CLOSING:
            opened.append(place)
        elif character in _CLOSING.values():
            if not opened:
                raise ValueError(f"{_at(text, place)} was never opened; remove it")
            if character != (closing := _CLOSING[text[opened.pop()]]):
                raise ValueError(f"{_at(text, place)} is where {closing!r} must be; correct it")
    if opened:
        raise ValueError(f"{_at(text, opened[-1])} is never closed; close it")


def _at(text: str, place: int) -> str:
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    where = f"line {line}, character {column}" if "\n" in text.strip() else f"character {column}"
    return f"{text[place]!r} at {where}"


def _nodes(expression: promql.Expr) -> Iterator[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(expression, found.append)
    yield from found


def _check_matchers(matchers: promql.Matchers) -> None:
    """Raise ValueError for what Prometheus refuses and the parser does not."""
    if matchers.or_matchers:
        raise ValueError("has `or` within braces; write two selectors: a or b")
    for matcher in matchers.matchers:
        if matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe):
            again = _REPEATED_TWICE.search(_IN_CLASS.sub("x", matcher.value))
            if again:
                raise ValueError(
                    f"has {again[0]!r} in the regular expression of {matcher.name}, "
                    "which repeats a repetition; correct it"
                )
