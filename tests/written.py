"""Team files as tests write them: YAML text in which « marks the place of a problem."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from specs.load import TeamFile, load_team
from specs.settings import PREFIX, Settings
from specs.stack_file import read_stack
from specs.team import Team

ROOT = Path(__file__).parent.parent
MARK = "«"

# As the shipped stacks have it: Istio's own would fill the default quota with two apps.
ISTIO = {
    "proxy": {
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"cpu": "200m", "memory": "256Mi"},
    }
}
# What the teams in `tests/keys/` need of a stack, beside what `dev` has.
KEYS_STACK: dict[str, Any] = {
    "istio": {**ISTIO, "authorization": "enforce"},
    "network": {
        "platform": {
            "databases": {"namespace": "databases", "podLabels": {"app": "pg"}, "ports": [5432]},
            "mail": {"host": "smtp.example.com", "ports": [587]},
        }
    },
}
IMAGE = "{repository: harbor.sre.internal/team-alpha/my-api, tag: v1.0.0}"


def settings(**changes: Any) -> Settings:
    """A stack's settings, named as in `Pulumi.<stack>.yaml` without their prefix."""
    config = {
        "teams": "*",
        "kubernetes": {"clusterIdentifier": "test"},
        "harbor": {"sharedProjects": ("base-images",)},
        "istio": ISTIO,
        **changes,
    }
    return Settings.model_validate({PREFIX + name: value for name, value in config.items()})


def team(text: str) -> str:
    """A file of team-alpha: `text` follows its `team` key."""
    return "team: team-alpha\n" + dedent(text)


def app(
    in_app: str = "",
    beside: str = "",
    *,
    archetype: str = "web-app",
    name: str = "my-api",
    image: str = IMAGE,
) -> str:
    """A file with one app: `in_app` are further lines of its `app`, `beside` of the entry."""
    return team("apps:\n" + entry(in_app, beside, archetype=archetype, name=name, image=image))


def entry(
    in_app: str = "",
    beside: str = "",
    *,
    archetype: str = "web-app",
    name: str = "my-api",
    image: str = IMAGE,
) -> str:
    """One entry of `apps`."""
    if archetype == "cronjob" and "schedule:" not in beside:
        beside = f"schedule: {{cron: '0 2 * * *'}}\n{dedent(beside)}"
    head = f"  - archetype: {archetype}\n    app:\n      name: {name}\n      image: {image}\n"
    return head + _block(in_app, 6) + _block(beside, 4)


def _block(text: str, columns: int) -> str:
    text = dedent(text).strip("\n")
    return indent(text, " " * columns) + "\n" if text else ""


def place(text: str) -> tuple[str, str]:
    """`text` without its mark, and the mark's place as `LINE:COLUMN`."""
    before, mark, after = text.partition(MARK)
    assert mark, "no place is marked"
    assert MARK not in after, "several places are marked"
    return before + after, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def reported(folder: Path, text: str, name: str = "team-alpha", **changes: Any) -> list[str]:
    """The lines that `./sre validate` would print for one file that holds `text`."""
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return _problems(load_team(file, f"tenants/{file.name}", settings(**changes)))


def accepted(folder: Path, text: str, name: str = "team-alpha", **changes: Any) -> Team:
    """The model of a file in which nothing is wrong."""
    file = folder / f"{name}.yaml"
    file.write_text(text)
    loaded = load_team(file, file.name, settings(**changes))
    assert _problems(loaded) == []
    assert loaded.team
    return loaded.team


def warned(folder: Path, text: str, **changes: Any) -> list[str]:
    """The warnings of a file in which nothing is wrong, as lines."""
    accepted(folder, text, **changes)
    stack = settings(**changes)
    loaded = load_team(folder / "team-alpha.yaml", "tenants/team-alpha.yaml", stack)
    return [warning.as_warning() for warning in loaded.warnings]


def _problems(loaded: TeamFile) -> list[str]:
    """As lines; what has none, editors do not mark either."""
    problems = [str(problem) for problem in loaded.problems]
    assert problems or marked(loaded.source.data) == []
    return problems


TEAM_SCHEMA = Draft7Validator(
    json.loads((ROOT / "schemas" / "team.schema.json").read_text(encoding="utf-8"))
)


def marked(data: Any) -> list[str]:
    """Paths of what an editor marks in a file, by its JSON Schema."""
    errors = TEAM_SCHEMA.iter_errors(_listed(data))
    return sorted({best_match([error]).json_path for error in errors})


def _listed(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _listed(value) for key, value in data.items()}
    if isinstance(data, date):  # to an editor, which reads YAML 1.2, it is text
        return data.isoformat()
    return [_listed(value) for value in data] if isinstance(data, tuple) else data


def dev_settings() -> Settings:
    """The settings of the shipped stack `dev`."""
    return _stack_settings(ROOT)


def keys_settings(folder: Path) -> Settings:
    """Those of `dev` as the teams in `tests/keys/` need it; `folder` is empty."""
    return _stack_settings(keys_checkout(folder))


def keys_checkout(folder: Path) -> Path:
    """`folder` with the program and a stack `dev` as the teams in `tests/keys/` need it."""
    (folder / "__main__.py").symlink_to(ROOT / "__main__.py")
    stack = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    stack["config"] |= {PREFIX + name: value for name, value in KEYS_STACK.items()}
    (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(stack), encoding="utf-8")
    return folder


def _stack_settings(root: Path) -> Settings:
    found, problems = read_stack(root, "dev")
    assert found
    assert not problems
    return found


def rows(table: Mapping[str, tuple[str, str]]) -> pytest.MarkDecorator:
    """A test for each row: what is wrong, a file with the place marked, and the message there."""
    return pytest.mark.parametrize(("text", "said"), list(table.values()), ids=list(table))
