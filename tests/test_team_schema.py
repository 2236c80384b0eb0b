"""The JSON Schema for editors: what the models say, as far as JSON Schema can say it."""

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import BaseModel, ValidationError

from cli import schema
from cli.__main__ import main
from specs.source import Source
from specs.team import Team
from tests.written import IMAGE, ROOT, app, marked, rows, team

SCHEMA: dict[str, Any] = json.loads(schema.SCHEMA.read_text(encoding="utf-8"))
DEFINITIONS = SCHEMA["definitions"]

ENTRY = "$.apps[0]"
TAG = f"{ENTRY}.app.image.tag"

# Where a model refuses more than a regular expression can: the rest is for `validate`.
BEYOND_PATTERNS = {
    "Alert.expr",  # a grammar of its own
    "Schedule.cron",  # numbers out of range, days that never come
    "Schedule.timezone",  # names that no zone has
    # names in the form of a credential
    "EnvVar.secretRef", "EnvVar.key", "EnvFrom.secretRef", "SecretFiles.secretRef",
    "SecretFiles.keys", "Image.tag", "Cors.allowHeaders", "Cors.exposeHeaders",
    "Call.cidr", "IPBlock.cidr", "IPBlock.except",  # addresses that are none, host bits
    *(f"{block}.{resource}"  # fractions of a byte or of a thousandth core, and beyond 2^63
      for block in (
          "ContainerDefault", "ContainerDefaultRequest", "ContainerMax", "ContainerMin",
          "QuotaLimits", "QuotaRequests", "ResourceLimits", "ResourceRequests",
      )
      for resource in ("cpu", "memory")),
    "WritablePath.sizeLimit", "Volume.size", "QuotaRequests.storage",
    "Namespace.labels", "Namespace.annotations",  # keys that steer something
}  # fmt: skip

WORDS = """\
    a 0 my-api My-api my_api a.b a..b .a a. -a a- a--b a-b-c é 007 null no nope y 0x1f 2026-01-31
    harbor-pull harbor-push harbor-pulls
    glpat-aaaaaaaaaaaaaaaaaaaa
    v1.0.0 1.0 latest LATEST Latest latest-1 1latest _a sha256:abcd v1@sha256:abcd a:b a/b a/b/c
    a//b /a a/ / // /tmp /tmp/ /tmp/x /proc /proc/x /process /sys /dev /dev/shm /.. /. /... /a/../b
    /a:b host/team/app host:5000/team/app host/Team/app host/team/app:v1 host/team/a__b
    host/team/a___b my-api.apps.sre.example.com a.svc a.b.svc a.svc.b a.cluster.local 10.0.0.1 a.1
    1.a *.a.b
    http://a.b a.b:80 a.b/c user@a.b x.cluster.local.com
    LOG_LEVEL 9A _ A-B A=B
    500m 1 1. .5 +1 -1 0 0.0 00.1 1e3 0e9 1E-3 1e1000 1Ki 1ki 1Mi 128Mi 1.5Gi 1k 1K 100u 1n 0.1m 8Ei
    9Ei 1048576 1048575 1e6 2e6 0.5 12E-1
    30s 10m 1h 1h30m 30m1h 1d 1ms 1y2w s 1s2 ٣s 30 5
    10.0.0.0/8 10.0.0.1/8 10.0.0.0 10.0.0.0/255.0.0.0 fd00::/8 ::/0 10.0.0.0/33 fe80::1%eth0/128
    http https 80 8080a a80 -http http- abcdefghijklmno abcdefghijklmnop
    50% 0% 100% 101% 099% 1000% % 5 -5%
    kubernetes.io/metadata.name a/b/c A/b a/B app.kubernetes.io/name -/a
    team-alpha-developers system:masters system system:
    HighErrorRate 9Rate Rate-1
    @daily @dayly @every UTC Etc/UTC Europe/Berlin America/Argentina/Buenos_Aires Etc/GMT+5 /UTC
    {{ }} { {{{ In NotIn TCP Daily active
"""
PHRASES = [
    "", " ", " a", "a ", "a b", "a\nb", "\nb", "\t", "\0", "é é",
    "0 2 * * *", "0 2 * *", "0 2 * * * *", " */5 0-6 1,15 JAN-MAR mon ", "99 2 * * *",
    "@every 1h30m", "@every -1h", "@every 1x", "0 2 * * MON#1", "TZ=UTC 0 2 * * *", "a;b * * * *",
    "{{ $value }}", "x {{ $labels.pod }} y {{$value|humanize}}", "{{ query }}", "{ {", "a { b",
    "{{{ $value }}", "{{ $value }}{", "{{ $value }}{{", "{{ $labels.a-b }}",
    *("a" * length for length in (15, 16, 52, 53, 63, 64, 128, 129, 253, 254)),
    f"{'a' * 63}.{'b' * 63}", f"{'a' * 64}.b", f"{'a.' * 126}a", f"{'a.' * 127}a", "1" * 64,
    "1" * 65, f"{'a' * 253}/b", f"{'a' * 254}/b", f"a/{'b' * 63}", f"a/{'b' * 64}",
]  # fmt: skip
NUMBERS = [
    -(2**31), -2, -1, 0, 1, 2, 80, 65535, 65536, 2**20 - 1, 2**20, 2**31 - 1, 2**31, 2**33 - 1,
    2**33, 0.5, -0.5, 1.5, 8080.5,
]  # fmt: skip
OTHERS = [None, True, False, {}, (), ("a",)]


def _values() -> list[Any]:
    dice = random.Random(5)
    alphabet = "aZ09._-/:@%*+{}$ \n,=lé"
    noise = ["".join(dice.choices(alphabet, k=dice.randint(1, 8))) for _ in range(400)]
    # In Python, a `$` also matches before a final line break; in an editor it does not.
    texts = [text for text in (*WORDS.split(), *PHRASES, *noise) if not text.endswith("\n")]
    return [*texts, *NUMBERS, *OTHERS]


VALUES = _values()


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _keys(model: type[BaseModel], seen: dict[str, Any]) -> dict[str, Any]:
    """By `Model.key`: the model, the key and its type, of every key that holds no further keys."""
    types = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        inner = list(_models(types[name]))
        for each in inner:
            _keys(each, seen)
        if not inner:
            seen[f"{model.__name__}.{field.alias}"] = model, field.alias, types[name]
    return seen


KEYS = _keys(Team, {})


def _candidates(kind: Any) -> Iterator[Any]:
    """Values for a key of that type: within a list or a mapping, where it is one."""
    listed = any(get_origin(each) is tuple for each in (kind, *get_args(kind)))
    for value in VALUES:
        if get_origin(kind) is dict:
            yield {str(value): "a"}
            yield {"a": value}
        yield (value,) if listed and value is not None else value


def _accepts(model: type[BaseModel], key: str, value: Any) -> bool:
    try:
        model.model_validate({key: value})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return all(each["loc"][0] != key for each in found)
    return True


@cache
def _differences(name: str) -> tuple[list[Any], list[Any]]:
    """Values of a key that only its model accepts, and those that only the schema accepts."""
    model, key, kind = KEYS[name]
    says = DEFINITIONS.get(model.__name__, SCHEMA)["properties"][key]
    validator = Draft7Validator(says)
    only_model, only_schema = [], []
    for value in _candidates(kind):
        valid = validator.is_valid(list(value) if isinstance(value, tuple) else value)
        if _accepts(model, key, value) != valid:
            (only_schema if valid else only_model).append(value)
    return only_model, only_schema


def test_every_key_that_holds_a_value_is_checked() -> None:
    assert len(KEYS) > 100
    assert set(KEYS) > BEYOND_PATTERNS


@pytest.mark.parametrize("name", list(KEYS))
def test_the_schema_accepts_what_the_model_accepts(name: str) -> None:
    assert _differences(name)[0] == []


@pytest.mark.parametrize("name", sorted(set(KEYS) - BEYOND_PATTERNS))
def test_the_schema_refuses_what_the_model_refuses(name: str) -> None:
    assert _differences(name)[1] == []


@pytest.mark.parametrize("name", sorted(BEYOND_PATTERNS))
def test_what_only_validate_can_check_is_listed(name: str) -> None:
    assert _differences(name)[1] != []


@rows(
    {
        "a key that nothing knows": (team("aps: []"), "$"),
        "a key that another archetype knows": (app(beside="schedule: {cron: '0 2 * * *'}"), ENTRY),
        "a key one level too low": (app("ingress: {enabled: false}"), f"{ENTRY}.app"),
        "no team": ("apps: []", "$"),
        "no archetype": (team("apps: [{app: {}}]"), ENTRY),
        "a misspelt archetype": (app(archetype="wroker"), f"{ENTRY}.archetype"),
        "no schedule": (app().replace("web-app", "cronjob"), ENTRY),
        "no tag": (app(image="{repository: host/team-alpha/a}"), f"{ENTRY}.app.image"),
        "a tag that is a number": (app(image=IMAGE.replace("v1.0.0", "1.0")), TAG),
        "a tag called latest": (app(image=IMAGE.replace("v1.0.0", "latest")), TAG),
        "a port that is text": (app("port: '8080'"), f"{ENTRY}.app.port"),
        "a switch that is text": (
            app(beside="ingress: {enabled: 'yes'}"),
            f"{ENTRY}.ingress.enabled",
        ),
        "a value of no list": (
            app(beside="alerts: [{name: Down, expr: up, severity: page}]"),
            f"{ENTRY}.alerts[0].severity",
        ),
        "a label's key": (
            app(
                beside="networkPolicy: {additionalEgress: [{to: [{podSelector: {matchLabels: "
                "{'a b': c}}}], ports: [{port: 1}]}]}"
            ),
            f"{ENTRY}.networkPolicy.additionalEgress[0].to[0].podSelector.matchLabels",
        ),
        "an empty command": (
            app("probes: {liveness: {exec: {command: []}}}", archetype="worker"),
            f"{ENTRY}.app.probes.liveness.exec.command",
        ),
        "nothing below a key": (team("quota:"), "$.quota"),
        "infinite CPUs": (team("quota: {requests: {cpu: .inf}}"), "$.quota.requests.cpu"),
        "infinite bytes": (team("quota: {limits: {memory: .inf}}"), "$.quota.limits.memory"),
    }
)  # fmt: skip
def test_an_editor_marks(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "team-alpha.yaml"
    file.write_text(text)
    assert marked(Source(file, "").data) == [said]


def test_an_editor_marks_nothing_in_the_files_that_are_here() -> None:
    files = [*(ROOT / "tenants").glob("*.yaml"), ROOT / "tests" / "teams" / "team-gamma.yaml"]
    assert len(files) >= 3
    for file in files:
        assert marked(Source(file, "").data) == [], file


def test_an_editor_finds_the_schema_by_a_file_s_first_line() -> None:
    for file in (*(ROOT / "tenants").glob("*.yaml"), ROOT / "tests" / "teams" / "team-gamma.yaml"):
        head, _, path = file.read_text().splitlines()[0].partition("$schema=")
        assert head == "# yaml-language-server: "
        assert (file.parent / path).resolve() == schema.SCHEMA


@pytest.mark.parametrize("file", sorted((ROOT / "clusters").glob("*.yaml")), ids=lambda f: f.stem)
def test_an_editor_finds_a_cluster_s_schema_and_marks_nothing(file: Path) -> None:
    head, _, path = file.read_text().splitlines()[0].partition("$schema=")
    assert head == "# yaml-language-server: "
    assert (file.parent / path).resolve() == schema.CLUSTER_SCHEMA
    validator = Draft7Validator(json.loads(schema.CLUSTER_SCHEMA.read_text()))
    data = yaml.safe_load(file.read_text())
    assert list(validator.iter_errors(data)) == []
    errors = list(validator.iter_errors({**data, "teams": "*", "guardrails": "maybe"}))
    assert sorted(error.validator for error in errors) == ["additionalProperties", "enum"]


def test_every_key_has_a_hover_text() -> None:
    for name, definition in DEFINITIONS.items():
        assert definition["additionalProperties"] is False, name
        for key, says in definition["properties"].items():
            block = DEFINITIONS.get(says.get("$ref", "").rpartition("/")[2], {})
            assert says.get("description") or block.get("description"), f"{name}.{key}"


def test_every_default_of_a_value_is_one_that_editors_can_offer() -> None:
    defaults = {
        f"{name}.{key}": says["default"]
        for name, definition in DEFINITIONS.items()
        for key, says in definition["properties"].items()
        if "default" in says
    }
    assert defaults["QuotaLimits.memory"] == "16Gi"
    assert defaults["WebAppContainer.port"] == 8080
    assert not any(isinstance(default, list | dict) for default in defaults.values())


def test_the_schema_is_one_that_validators_read() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_the_file_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--check"]) == 0, "run ./sre schema"
    assert capsys.readouterr().out == (
        "schemas/team.schema.json is current.\nschemas/cluster.schema.json is current.\n"
    )


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `./sre schema` writes instead."""
    monkeypatch.setattr(schema, "ROOT", tmp_path)
    for name, file in (("SCHEMA", "team"), ("CLUSTER_SCHEMA", "cluster")):
        monkeypatch.setattr(schema, name, tmp_path / "schemas" / f"{file}.schema.json")
    return tmp_path / "schemas" / "team.schema.json"


def test_an_outdated_file_is_reported_and_unchanged(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["schema", "--check"]) == 1
    assert capsys.readouterr().err == (
        "schemas/team.schema.json is out of date; run ./sre schema\n"
        "schemas/cluster.schema.json is out of date; run ./sre schema\n"
    )
    assert not elsewhere.exists()


def test_a_file_that_may_not_be_written_is_reported_in_one_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.parent.mkdir()
    elsewhere.write_text("{}")
    monkeypatch.setattr("os.access", lambda *_: False)  # for root, everything may be written
    assert main(["schema"]) == 1
    told = f"{elsewhere}:1:1: (file): Permission denied; check the path\n"
    assert capsys.readouterr().err == told
    assert elsewhere.read_text() == "{}"


def test_a_file_of_bytes_that_are_not_text_is_not_current(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"\xff")
    assert main(["schema", "--check"]) == 1
    assert "is out of date" in capsys.readouterr().err


def test_the_file_is_written_once(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    for file in elsewhere.parent.iterdir():
        assert file.read_bytes() == (ROOT / "schemas" / file.name).read_bytes()
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == (
        "schemas/team.schema.json written.\nschemas/cluster.schema.json written.\n"
        "schemas/team.schema.json is current.\nschemas/cluster.schema.json is current.\n"
    )
