"""A stack's file, `Pulumi.<stack>.yaml`: its settings, and what is wrong with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from specs.base import Spec
from specs.explain import explain
from specs.fleet import TeamsFolder, missing_teams
from specs.problem import Problem
from specs.settings import PREFIX, Settings
from specs.source import Source, frozen


class _StackFile(Spec):
    """The part of the file that is this project's own; Pulumi keeps other keys beside it."""

    model_config = ConfigDict(extra="ignore")

    config: Settings = Field(
        description="The stack's config.", examples=["{sre-platform:teams: '*'}"]
    )


def stack_names(root: Path) -> list[str]:
    """Stacks of the project, by their files."""
    return sorted(file.name.split(".")[1] for file in root.glob("Pulumi.*.yaml"))


def read_stack(
    root: Path, stack: str, config: Mapping[str, Any] | None = None
) -> tuple[Settings | None, list[Problem]]:
    """Settings of `stack`; `config` is what the engine says of it, where that runs the program.

    Problems point into the stack's file; where there are any, the settings are not to be used.
    """
    shown = f"Pulumi.{stack}.yaml"
    source = Source(root / shown, shown)
    data = source.data if config is None else {"config": frozen(dict(config))}
    if data is None:
        return None, source.problems
    try:
        settings = _StackFile.model_validate(data).config
    except ValidationError as error:
        return None, [explain(source, _StackFile, each) for each in error.errors(include_url=False)]
    loc = ("config", f"{PREFIX}teams")
    missing = missing_teams(TeamsFolder(root / settings.tenants, settings.tenants), settings)
    return settings, [source.problem((*loc, index), message) for index, message in missing]
