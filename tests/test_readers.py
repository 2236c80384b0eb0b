"""What the project writes as YAML is text to every reader that was text before."""

import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from binaries import pinned
from cli.__main__ import main
from dryrun.placeholder_kubeconfig import placeholder
from specs.readers import Dumper
from tests.optional import reader
from tests.program import web_app
from tools.editing.scalar import written
from tools.migration import team_text as migration_text

# Numbers of YAML 1.1 and 1.2, dates, times, truths, nothing, merges: to some reader or other.
NOT_TEXT = [
    "-.5", "+.5", ".5", "5.", "-5.", "1_000", "-1_000", "-_1", "+_1", "._1", "-._5", "0o7",
    "0O7", "-0o7", "010", "08", "0x1F", "-0x1F", "0b1", "-0b1", "0_7", "1e3", "1E3", "+1e3",
    "-1.5e3", "1e-3", "12e5678", "._", "._e5", "e3", "E-3", "1:30", "12:30:45", "-12:30",
    "190:20:30", "12:30.5", "2026-01-01", "2026-01-01T10:00:00Z", ".inf", "-.inf",
    "+.Inf", ".INF", ".nan",
    ".NaN", "y", "Y", "n", "N", "yes", "Yes", "NO", "on", "ON", "off", "Off", "true", "TRUE",
    "False", "null", "NULL", "~", "=", "<<", "-", "--", "---", ".", "..", "...", "+",
]  # fmt: skip

# What such words contain, and what separates them.
_WORDS = st.text("0123456789abcdefinoxyABEFINOTXYZ+-._:~=<># '\"", max_size=12)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
_LONG = st.lists(st.text(string.printable, max_size=40), max_size=8).map(" ".join)
texts = _WORDS | st.sampled_from(NOT_TEXT) | _TEXT | _LONG

Readers = Callable[[str], dict[str, Any]]


def _rendered(data: Any) -> str:
    return yaml.dump(data, Dumper=Dumper, allow_unicode=True, width=100)


WRITERS: dict[str, Callable[[Any], str]] = {
    "render": _rendered,
    "import, in lines": migration_text._block,
    "import, in braces": migration_text._flow,
}
each_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@pytest.fixture(scope="session")
def go(request: pytest.FixtureRequest) -> Iterator[Readers]:
    """What libraries in Go make of a document, by library; one process reads all of them."""
    with reader(request, pinned.YAML_READER) as read:
        yield read


def test_go_reads_bare_words_as_numbers(go: Readers) -> None:
    # So that the tests below are not passed by a reader that reads nothing.
    assert go("a: -.5\n") == {"sigs.k8s.io/yaml": {"a": -0.5}, "go.yaml.in/yaml/v3": {"a": -0.5}}


def python(document: str) -> dict[str, Any]:
    return {
        "libyaml": yaml.load(document, yaml.CSafeLoader),
        "PyYAML": yaml.load(document, yaml.SafeLoader),
    }


@each_writer
@pytest.mark.parametrize("word", NOT_TEXT)
def test_a_word_that_some_reader_reads_as_something_else_is_quoted(
    write: Callable[[Any], str], word: str
) -> None:
    document = write({"key": word, word: "value"})
    assert document.count(f"'{word}'") + document.count(f'"{word}"') == 2, document


@each_writer
@given(key=texts, value=texts)
def test_every_reader_in_python_gets_the_text_that_was_written(
    write: Callable[[Any], str], key: str, value: str
) -> None:
    data = {"outer": {key: [value, {"inner": value}]}}
    assert python(write(data)) == {"libyaml": data, "PyYAML": data}


@each_writer
@given(key=texts, value=texts)
def test_every_reader_in_go_gets_the_text_that_was_written(
    go: Readers, write: Callable[[Any], str], key: str, value: str
) -> None:
    data = {"outer": {key: [value, {"inner": value}]}}
    assert go(write(data)) == {"sigs.k8s.io/yaml": data, "go.yaml.in/yaml/v3": data}


@given(st.text("0123456789abcdefinoxyABEFINOTXYZ-._", min_size=1, max_size=12))
def test_a_tag_or_name_that_is_put_into_a_file_is_text_to_every_reader(
    go: Readers, word: str
) -> None:
    document = f"tag: {written(word)} # a comment\n"
    for readers in (python, go):
        assert set(map(str, readers(document).values())) == {str({"tag": word})}


@pytest.mark.parametrize("context", ["1e3", "-.5", "on"])
def test_a_context_in_a_kubeconfig_is_text(context: str) -> None:
    document = yaml.load(placeholder(context), yaml.BaseLoader)
    assert document["current-context"] == context
    assert f"current-context: '{context}'\n" in placeholder(context)


@pytest.mark.parametrize("value", ["-.5", "+.5", "._1", "=", "<<", "."])
def test_render_quotes_a_variable_and_a_label(tmp_path: Path, go: Readers, value: str) -> None:
    (tmp_path / "tenants").mkdir()
    file = tmp_path / "tenants" / "team-alpha.yaml"
    file.write_text(web_app(f"app: {{env: [{{name: VALUE, value: '{value}'}}]}}"))
    out = tmp_path / "out"
    assert main(["render", "--out", str(out), "--tenants", str(file.parent)]) == 0
    text = (out / "kubernetes/team-alpha/Deployment-my-api.yaml").read_text()
    for read in go(text).values():
        (container,) = read["spec"]["template"]["spec"]["containers"]
        assert container["env"] == [{"name": "VALUE", "value": value}]
