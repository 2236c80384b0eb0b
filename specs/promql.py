"""Whether Prometheus can run an alert's expression, as far as that is clear without Prometheus."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import promql_parser as promql

from specs.promql_grammar import broken, nodes, parse, without_literals

_CLOSING = {"(": ")", "[": "]", "{": "}"}

# The parser recurses into brackets and operators without a limit of its own. This one is far above
# what people write and far below what it can take.
_MOST_STEPS = 300
_STEP = re.compile(r"[(\[{]|[-+*/%^<>=!~]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)

_RANGES = (promql.MatrixSelector, promql.SubqueryExpr)
_EXPERIMENTAL_AGGREGATIONS = ("limitk", "limit_ratio")


class Needs(NamedTuple):
    """What not every Prometheus accepts of a valid expression.

    `flagged` are functions that it rejects unless a feature flag is on; `recent` maps what older
    ones reject to the first version that does not.
    """

    flagged: Sequence[str]
    recent: Mapping[str, str]


def check_expression(text: str) -> None:
    """Raise ValueError unless `text` is an expression that an alert can have."""
    needs(text)


@cache  # checks and warnings both ask
def needs(text: str) -> Needs:
    """Raise ValueError unless `text` is an expression that an alert can have."""
    bare = without_literals(text)
    _check_brackets(text, bare)
    if len(_STEP.findall(bare)) > _MOST_STEPS:
        raise ValueError(
            f"has more than {_MOST_STEPS} brackets and operators; split it into several alerts"
        )
    expression, recent = parse(text)
    while isinstance(expression, promql.ParenExpr):
        expression = expression.expr
    if isinstance(expression, _RANGES):
        raise ValueError(
            "must not be a range of values; reduce it, for example with max_over_time(...)"
        )
    if isinstance(expression, promql.StringLiteral):
        raise ValueError("must not be a string; write an expression such as up == 0")
    for node in nodes(expression):
        if isinstance(node, promql.VectorSelector) and node.matchers.or_matchers:
            raise ValueError("has `or` within braces; write two selectors: a or b")
        if isinstance(node, promql.Call) and _has_number_for_vector(node):
            raise broken(f"{node.func.name} needs a vector, not a number")
    return Needs(sorted({_function(node) for node in nodes(expression)} - {""}), recent)


def _function(node: promql.Expr) -> str:
    """The name of the experimental function that `node` calls, if it does."""
    if isinstance(node, promql.Call) and node.func.experimental:
        return str(node.func.name)
    if isinstance(node, promql.AggregateExpr) and str(node.op) in _EXPERIMENTAL_AGGREGATIONS:
        return str(node.op)
    return ""


def _has_number_for_vector(call: promql.Call) -> bool:
    """Whether a vector function is called with a number: the parser accepts ln(Inf)."""
    return any(
        wanted == promql.ValueType.Vector and isinstance(given, promql.NumberLiteral)
        for wanted, given in zip(call.func.arg_types, call.args, strict=False)
    )


def _check_brackets(text: str, bare: str) -> None:
    """Raise ValueError for an unclosed bracket or quote: the parser gives no position."""
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
                raise ValueError(f"{_at(text, place)} must be {closing!r}; correct it")
    if opened:
        raise ValueError(f"{_at(text, opened[-1])} is never closed; close it")


def _at(text: str, place: int) -> str:
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    where = f"line {line}, character {column}" if "\n" in text.strip() else f"character {column}"
    return f"{text[place]!r} at {where}"
