"""Alerts' expressions, durations and summaries: what is refused, and what Prometheus says of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binaries import pinned
from specs import promql
from specs.promql import _MOST_STEPS, check_expression, needs
from specs.promql_grammar import Parsed
from tests.optional import reader
from tests.program import read_yaml
from tests.written import ROOT, accepted, app, place, reported, rows, warned

Prometheus = Callable[[str], str]

# As in public rule files, or nearly.
SOUND = [
    "up == 0",
    'sum(rate(http_requests_total{job="api",code=~"5.."}[5m])) by (job) > 0.05',
    "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 1",
    'absent(up{job="api"})',
    "predict_linear(node_filesystem_free_bytes[6h], 24 * 3600) < 0",
    "rate(a[5m]) / ignoring (code) group_left rate(b[5m]) > 0.1",
    "max_over_time(rate(a[1m])[1h:5m]) > 2",
    "a offset 1w - a > 10 and on (pod) b unless c or vector(1)",
    "time() - job_last_success_unixtime > 24 * 60 * 60",
    "a > bool 1 == 1",
    "a @ end() > 1",
    "-a ^ 2 < -1e3",
    'count_values("version", build_info) > 1',
    'label_replace(a, "x", "$1", "y", "(.*)") > 1',
    'quantile_over_time(0.9, a{b!~"x|y"}[1h30m]) > +Inf',
    '{__name__=~"a.*", b="c"} > 0',
    '{"a.b"} > 0',
    "a # (what ( it is\n > 1",
    "sum without (a,) (b) >= 0x1f",
    'a{b=~`\\d+ "x" [(]`} > 0',
    "a{b='it\\'s'} > 0",
    'a{b=~"/users/{id}"} > 0',
    'a{b=~"[a-z*+]+?(?:x{2,3})*"} > 0',
    'a{b=~"[[]"} > 0',
    'a{b=~"\\\\Qa.b\\\\E"} > 0',
    "vector(0) or a",
    "a > 1_000_000",
    "a > 0x_1f + 0X1_F - 1.5_0e1_0 * .5 / 5. % 017",
    "a < Inf and a > -inf and a != NAN",
    "a @ 0s > 0s",
    "rate(a[5m+5m]) > 1",
    "max_over_time(a[(1h - 5m) / 2 : step() * 2]) > 1",
    "rate(a[max_of(5m, step())]) > -rate(b[-(-1h) ^ 2 % range()])",
    "rate(a[1_000]) > rate(b[.5])",
    "a offset (5m) > a offset -step() or a offset (5m + 1h) * 2 > 1",
    "sum_over_time(a[5m:] offset --5m) > 1",
    "rate(a[5m] smoothed) > increase(b[5m] offset 1h Anchored @ end())",
    "a smoothed > smoothed anchored + anchored{smoothed='1'}",
    "sum by (smoothed, step) (step + range) > fill",
    "a and on (b) smoothed > ignoring (c) group_left (b) offset",
    "by smoothed > by offset 5m",
    "histogram_count(a </ 5) > 1",
    'a{b=~"x{1000}|[[:alpha:]]|\\\\pL|\\\\x{41}|(?i-s:c)|[\\\\d-z]"} > 0',
    'a{b=~"(?P<x>a)|(?<y>b)|\\\\p{^Greek}|\\\\012"} > 0',
    '{b!~"|c"} or {b=~".+"} > 0',
]  # fmt: skip

NO_MATCHER = (
    "is not PromQL: vector selector must contain at least one non-empty matcher; correct it"
)
# In a string, where a backslash is written twice.
UNREADABLE = {
    "(": "missing ): (",
    ".**": "bad repetition operator: **",
    "a++": "bad repetition operator: ++",
    "a{1001}": "invalid repetition size: {1001}",
    "(a{500}){3}": "invalid repetition size: {3}",
    "a{1000000000}": "Go has no {1000000000",
    "(?x)a": "invalid perl operator: (?x",
    "(?=a)": "invalid perl operator: (?=",
    "(?<!a)": "invalid perl operator: (?<!",
    "(?>a)": "invalid perl operator: (?>",
    "(a)\\\\1": "invalid escape sequence: \\1",
    "\\\\C": "Go has no \\C",
    "\\\\u0041": "invalid escape sequence: \\u",
    "\\\\p{Letter}": "invalid character class range: \\p{Letter}",
    "[[:x:]]": "invalid character class range: [:x:]",
    "[a--b]": "invalid character class range: a--",
    "(?<é>a)": "Go has no (?<é>",
}
BROKEN = {
    f"a{{b=~'{expression}'}} > 0": (
        f"has a regular expression that Prometheus cannot read ({said}); correct it"
    )
    for expression, said in UNREADABLE.items()
} | {
    "rate(http_errors_total[5m] > 0.05": "'(' at character 5 is never closed; close it",
    "rate(a[5m)) > 1": "')' at character 10 must be ']'; correct it",
    "sum(rate(a[5m]))) > 1": "')' at character 17 was never opened; remove it",
    "a{b='c} > 1": '"\'" at character 5 is never closed; close it',
    "a\n  > sum(b": "'(' at line 2, character 8 is never closed; close it",
    "a >": "is not PromQL: an operator, a value or a comma is missing or extra; correct it",
    "a > > 1": "is not PromQL: an operator, a value or a comma is missing or extra; correct it",
    "sum(a) by (b) c": (
        "is not PromQL: an operator, a value or a comma is missing or extra; correct it"
    ),
    " ": "is not PromQL: it is empty; correct it",
    "# all is well": "is not PromQL: it is empty; correct it",
    "rate(a)": (
        "is not PromQL: expected type matrix in call to function 'rate', got vector; correct it"
    ),
    "ratee(a[5m])": "is not PromQL: unknown function with name 'ratee'; correct it",
    "a{}b": "is not PromQL: an operator, a value or a comma is missing or extra; correct it",
    '=~ "a"': "is not PromQL: unexpected character after '=': '~'; correct it",
    "{}": NO_MATCHER,
    "{b=~'.*'}": NO_MATCHER,
    "{b!~'.+', c=''}": NO_MATCHER,
    'a{b="1" or b="2"}': "has `or` within braces; write two selectors: a or b",
    "1 > 2": "is not PromQL: comparisons between scalars must use BOOL modifier; correct it",
    "a > 5m30h": "'5m30h' is not a duration; write one such as 30s, 10m or 1h",
    "a > 300y": "'300y' is too long for Prometheus; shorten it",
    "a > 1_0m": "is not PromQL: 1_0m is not a number or a duration; correct it",
    "a > 1__0": "is not PromQL: 1__0 is not a number or a duration; correct it",
    "a > 0x1e": "is not PromQL: 0x1e is not a number or a duration; correct it",
    "a > 0b1": "is not PromQL: 0b1 is not a number or a duration; correct it",
    "a > 1e400": "is not PromQL: 1e400 is too large for a number; correct it",
    "a > 0xffffffffffffffff": (
        "is not PromQL: 0xffffffffffffffff is too large for a number; correct it"
    ),
    "a @ 1e19": "is not PromQL: timestamp out of bounds for @ modifier: inf; correct it",
    "rate(a[0])": "is not PromQL: the duration 0 must be longer than 0; correct it",
    "rate(a[-5m])": "is not PromQL: the duration -5m must be longer than 0; correct it",
    "rate(a[1h:0s])": "is not PromQL: the duration 0s must be longer than 0; correct it",
    "rate(a[1e10])": "has a duration that is too long for Prometheus; shorten it",
    "a offset 1e10": "has a duration that is too long for Prometheus; shorten it",
    "rate(a[5m/0])": "is not PromQL: the duration 5m/0 is divided by zero; correct it",
    "rate(a[:5m])": "is not PromQL: a duration such as 5m is missing; correct it",
    "a offset": "is not PromQL: a duration such as 5m is missing; correct it",
    "rate(a[b])": "is not PromQL: b is not a duration such as 5m; correct it",
    "rate(a[time()])": "is not PromQL: time() is not a duration such as 5m; correct it",
    "rate(a['5m'])": "is not PromQL: brackets may contain only a duration, such as [5m]; "
    "correct it",
    "a offset (5m) * b": ("is not PromQL: ( 5m ) * b is not a duration such as 5m; correct it"),
    "rate(a[5m] smoothed anchored)": (
        "has anchored and smoothed on one selector; remove one of them"
    ),
    "sum(a) smoothed": (
        "has smoothed after something other than a selector; write it right after one, "
        "as in rate(a[5m] smoothed)"
    ),
    "max_over_time(a[5m:] anchored)": (
        "has anchored after something other than a selector; write it right after one, "
        "as in rate(a[5m] anchored)"
    ),
    "a + on (b) fill (0) c": (
        "has the modifier fill, which needs Prometheus's feature flag "
        "promql-binop-fill-modifiers; fill in with `or`, as in (a or b * 0) + b"
    ),
    "a.b > 1": (
        "has the name a.b without quotes, which needs Prometheus's feature flag "
        'promql-unquoted-utf8-names; write "a.b", and a metric\'s name within braces'
    ),
    "ln(Inf)": "is not PromQL: ln needs a vector, not a number; correct it",
}
NO_SAMPLE = {
    "a[5m]": "must not be a range of values; reduce it, for example with max_over_time(...)",
    "((a[5m:1m]))": "must not be a range of values; reduce it, for example with max_over_time(...)",
    '"a > 1"': "must not be a string; write an expression such as up == 0",
}


def rule(expression: str, **keys: Any) -> str:
    """A file with one rule; JSON is YAML."""
    one = {"alert": "A", "expr": expression, **keys}
    return json.dumps({"groups": [{"name": "a", "rules": [one]}]})


@pytest.fixture(scope="session")
def prometheus(request: pytest.FixtureRequest) -> Iterator[Prometheus]:
    """Prometheus's objections to a file of rules; empty if it accepts it."""
    with reader(request, pinned.PROMQL) as read:
        yield read


def refusal(expression: str) -> str:
    try:
        check_expression(expression)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("expression", SOUND)
def test_an_expression_that_prometheus_accepts_is_accepted(expression: str) -> None:
    assert refusal(expression) == ""


@pytest.mark.parametrize(("expression", "said"), (BROKEN | NO_SAMPLE).items())
def test_an_expression_that_no_alert_can_have_is_refused(expression: str, said: str) -> None:
    assert refusal(expression) == said


def test_prometheus_accepts_the_valid_ones_and_refuses_the_broken_ones(
    prometheus: Prometheus,
) -> None:
    assert {each: said for each in SOUND if (said := prometheus(rule(each)))} == {}
    assert [each for each in BROKEN if not prometheus(rule(each))] == []


@pytest.mark.parametrize("steps", [_MOST_STEPS, _MOST_STEPS + 1])
@pytest.mark.parametrize("step", ["+a", " and a", " > a"])
def test_an_expression_with_too_many_steps_is_not_parsed(
    step: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def parsed(text: str) -> Parsed:
        given.append(text)
        return Parsed(promql_parser.parse("a"), {})

    monkeypatch.setattr("specs.promql.parse", parsed)
    assert bool(refusal("a" + step * steps)) == (steps > _MOST_STEPS)
    assert bool(given) == (steps <= _MOST_STEPS)


def test_steps_in_strings_do_not_count() -> None:
    assert refusal(f'a{{b="{"+" * 2 * _MOST_STEPS}"}} > 0') == ""


# Tokens, most of them in places where they fit: what they make is sound as often as not.
_METRICS = st.sampled_from(
    ["a", "b:c", 'a{b="c"}', "a{b!~'c|d'}", "{__name__='a'}", "sum", "on", "smoothed", "step"]
)
_DURATIONS = st.recursive(
    st.sampled_from(["5m", "1h30m", "5", "0", "0s", ".5", "1_0", "step()", "range()", "5x", "b"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/%^>"), inner).map("".join),
        st.tuples(st.sampled_from("+-"), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, inner).map(lambda pair: f"max_of({pair[0]}, {pair[1]})"),
    ),
    max_leaves=4,
)
_RANGES = st.one_of(
    _DURATIONS.map(lambda text: f"[{text}]"),
    _DURATIONS.map(lambda text: f"[{text}:]"),
    st.tuples(_DURATIONS, _DURATIONS).map(lambda pair: f"[{pair[0]}:{pair[1]}]"),
    st.sampled_from(["[1m30h]", "[]", "[:5m]", "[5m:5m:5m]"]),
)
_MODIFIERS = st.one_of(
    _DURATIONS.map(lambda text: f"offset {text}"),
    st.sampled_from(["@ 3", "@ end()", "@ -Inf", "smoothed", "anchored", "fill(0)"]),
)
_NUMBERS = st.sampled_from(
    [
        "1", "0.5", ".5", "5.", "1e3", "1e1_0", "0x1f", "0x_1f", "Inf", "NaN", "5m", "0s", "1_0",
        "1_0.5", "1__0", "1_0m", "1e400",
    ]
)  # fmt: skip
_OPERATORS = st.sampled_from(
    [
        "+", "-", "*", "/", "%", "^", "==", "!=", ">", "<=", "and", "or", "unless", "atan2", "=",
        "> bool", "and on (b)", "* on (b) group_left (c)", "/ ignoring (b)", "and bool",
    ]
)  # fmt: skip
_FUNCTIONS = st.sampled_from(["abs", "rate", "max_over_time", "scalar", "vector", "absent", "time"])
_AGGREGATIONS = st.sampled_from(["sum", "max by (b)", "count without ()", "topk", "quantile"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, _OPERATORS, inner).map(" ".join),
        st.tuples(_FUNCTIONS, inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(_FUNCTIONS, inner, _RANGES).map(lambda p: f"{p[0]}({p[1]}{p[2]})"),
        st.tuples(_AGGREGATIONS, inner).map(lambda parts: f"{parts[0]} ({parts[1]})"),
        st.tuples(_AGGREGATIONS, _NUMBERS, inner).map(lambda p: f"{p[0]} ({p[1]}, {p[2]})"),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, _MODIFIERS).map(" ".join),
    )


expressions = st.recursive(_METRICS | _NUMBERS, _larger, max_leaves=8)


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """An expression that has lost a piece, or has one twice."""
    text = draw(expressions)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 3)))
    return text[:start] + text[start:end] * draw(st.sampled_from([0, 2])) + text[end:]


@given(expression=expressions | _damaged())
def test_what_is_drawn_is_refused_where_prometheus_refuses_it(
    prometheus: Prometheus, expression: str
) -> None:
    ours, theirs = refusal(expression), prometheus(rule(expression))
    if ours in NO_SAMPLE.values():  # which Prometheus refuses later, when it has the result
        return
    assert bool(ours or needs(expression).flagged) == bool(theirs), (expression, ours, theirs)


_PIECES = st.sampled_from(
    [
        "a", "é", ".", "*", "+", "?", "{2}", "{2,1}", "{0,3}", "{600}", "{1001}", "{", "}", "(",
        ")", "(?:", "(?i)", "(?x)", "(?i:", "(?P<x>", "(?<x>", "(?=", "(?<!", "(?>", "|", "^",
        "$", "[", "]", "[^", "[a-z]", "[[:alpha:]]", "-", "&&", r"\d", r"\b", r"\z", r"\Z", r"\1",
        r"\07", r"\x41", r"\x{41}", r"\u0041", r"\pL", r"\p{Greek}", r"\p{Letter}", r"\Q", r"\E",
        r"\.", r"\C", r"\h", "#", " ",
    ]
)  # fmt: skip


@given(text=st.lists(_PIECES, max_size=6).map("".join))
def test_a_regular_expression_is_refused_where_prometheus_refuses_it(
    prometheus: Prometheus, text: str
) -> None:
    expression = f"a{{b=~`{text}`}}"
    ours, theirs = refusal(expression), prometheus(rule(expression))
    assert bool(ours) == bool(theirs), (text, ours, theirs)


EXPERIMENTAL = [
    "limitk(2, a)", "limit_ratio(0.5, a)", "mad_over_time(a[5m])", 'sort_by_label(a, "b")',
    "double_exponential_smoothing(a[5m], 0.5, 0.5)", "ts_of_max_over_time(a[5m])", "info(a)",
]  # fmt: skip


def test_what_is_experimental_is_what_prometheus_refuses_by_default(
    prometheus: Prometheus,
) -> None:
    for expression in EXPERIMENTAL:
        assert refusal(expression) == ""
        assert needs(f"{expression} > 1").flagged == [expression.partition("(")[0]]
        said = prometheus(rule(f"{expression} > 1"))
        assert "experimental" in said or "not enabled" in said, (expression, said)
    assert [each for each in SOUND if needs(each).flagged] == []


def test_an_experimental_function_causes_a_warning(tmp_path: Path) -> None:
    text, where = place(app(beside="alerts: [{name: A, expr: «'mad_over_time(a[5m]) > 1'}]"))
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].alerts[0].expr: warning: mad_over_time is "
        "experimental, and Prometheus refuses the rule unless its feature "
        "flag promql-experimental-functions is on; use another function, or ask the platform team"
    ]


RECENT = {
    "rate(a[5m] anchored) > 1": ("anchored", "3.16"),
    "rate(a[5m] smoothed) > 1": ("smoothed", "3.16"),
    "rate(a[5m + 5m]) > 1": ("a calculated duration", "3.14"),
    "max_over_time(a[1h:step()]) > 1": ("a calculated duration", "3.14"),
    "a offset (5m) > 1": ("a calculated duration", "3.14"),
    "a offset -step() > 1": ("a calculated duration", "3.14"),
    "histogram_count(a >/ 5) > 1": (">/", "3.11"),
}


@pytest.mark.parametrize(("expression", "what"), RECENT.items())
def test_what_older_ones_refuse_causes_a_warning(
    tmp_path: Path, expression: str, what: tuple[str, str]
) -> None:
    text, where = place(app(beside=f"alerts: [{{name: A, expr: «'{expression}'}}]"))
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].alerts[0].expr: warning: {what[0]} needs "
        f"Prometheus {what[1]}; an older one, or an operator that was built with an older one, "
        "leaves out all alerts of the app; use another expression, or ask the platform team"
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "rate(a[5m]) > 1",
        "rate(a[ 300 ]) > 1",
        "max_over_time(a[1h:5m]) > 1",
        "max_over_time(a[1h:]) > 1",
        "a offset -5m > a offset 1h30m + 1",
        "a @ end() > sum by (anchored) (smoothed)",
        'a{b="rate(a[5m+5m] smoothed)"} < 5',
    ],
)
def test_what_all_accept_causes_none(expression: str) -> None:
    assert needs(expression).recent == {}


def test_an_expression_is_parsed_once_by_all_who_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    parse = promql.parse
    monkeypatch.setattr(promql, "parse", lambda text: asked.append(text) or parse(text))
    expression = "errors_nobody_else_has_here > 1"
    assert warned(tmp_path, app(beside=f"alerts: [{{name: A, expr: '{expression}'}}]")) == []
    assert asked == [expression]


AT = "apps[0].alerts[0]"


@rows(
    {
        "an expression": (
            app(beside="alerts: [{name: A, expr: «'rate(a[5m] > 1'}]"),
            f"{AT}.expr: '(' at character 5 is never closed; close it",
        ),
        "an expression of several lines": (
            app(beside="alerts:\n- name: A\n  expr: «|\n    a\n    > sum(b"),
            f"{AT}.expr: '(' at line 2, character 6 is never closed; close it",
        ),
        "a duration": (
            app(beside="alerts: [{name: A, expr: up, for: «300y}]"),
            f"{AT}.for: '300y' is too long for Prometheus; shorten it",
        ),
        "a duration in another order": (
            app(beside="alerts: [{name: A, expr: up, for: «5m1h}]"),
            f"{AT}.for: '5m1h' is not a duration; write one such as 30s, 10m or 1h",
        ),
        "a summary's function": (
            app(beside="alerts: [{name: A, expr: up, summary: «'{{ $value | humanizeX }}'}]"),
            f"{AT}.summary: contains a template; write only {{{{ $labels.NAME }}}} and "
            "{{ $value }}",
        ),
    }
)
def test_a_rule_that_prometheus_refuses_is_reported_at_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


DURATIONS = ["0", "0s", "10m", "1h30m", "1y2w3d4h5m6s7ms", "292y", "1d", "00005m"]
NO_DURATIONS = ["1h 30m", "30", "1.5h", "-5m", "1M", "m", "300y", "99999999999999999999s", "1µs"]


@pytest.mark.parametrize("text", DURATIONS)
def test_a_duration_of_prometheus_is_accepted(tmp_path: Path, text: str) -> None:
    alert = accepted(
        tmp_path, app(beside=f"alerts: [{{name: A, expr: up, for: '{text}'}}]")
    ).apps[0].alerts[0]  # fmt: skip
    assert alert.for_ == text


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_not_a_duration_of_prometheus_is_refused(tmp_path: Path, text: str) -> None:
    (line,) = reported(tmp_path, app(beside=f"alerts: [{{name: A, expr: up, for: '{text}'}}]"))
    assert f"{AT}.for: '{text}' is " in line


def test_prometheus_has_the_same_durations(prometheus: Prometheus) -> None:
    taken = [
        text for text in (*DURATIONS, *NO_DURATIONS) if not prometheus(rule("a", **{"for": text}))
    ]
    assert taken == DURATIONS


@pytest.mark.parametrize(
    "summary",
    [
        "", "all is well", "{ $value }", "{{ $labels.pod }} of {{$labels.app}}", "{{ $value }}",
        *(
            f"{{{{ $value | humanize{kind} }}}}"
            for kind in ("", "1024", "Duration", "Percentage", "Timestamp")
        ),
    ],
)  # fmt: skip
def test_a_summary_that_is_accepted_is_accepted_by_prometheus(
    tmp_path: Path, prometheus: Prometheus, summary: str
) -> None:
    text = app(beside=f"alerts: [{{name: A, expr: up, summary: '{summary}'}}]")
    taken = accepted(tmp_path, text).apps[0].alerts[0].summary
    assert prometheus(rule("up == 0", annotations={"summary": taken})) == ""


def test_prometheus_accepts_the_rules_of_the_shipped_teams(prometheus: Prometheus) -> None:
    files = list((ROOT / "tests" / "golden").rglob("PrometheusRule-*.yaml"))
    assert files
    for file in files:
        spec = read_yaml(file.read_text(encoding="utf-8"))["spec"]
        assert prometheus(json.dumps(spec)) == "", file
