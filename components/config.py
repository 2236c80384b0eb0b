"""The stack's settings, read from the engine."""

import os
from pathlib import Path
from typing import Any

import pulumi

from specs.settings import LEAVE_OUT, PREFIX, Settings
from specs.stack_file import TEXTS, outdated, read_stack


def stack_settings(root: Path) -> Settings:
    """The checked settings of the running stack.

    Raises pulumi.RunError, with a line per problem: `Pulumi.<stack>.yaml:line:column: key: ...`.
    The target in `SRE_PLATFORM_LEAVE_OUT` is not managed in this run.
    """
    settings, problems = read_stack(root, pulumi.get_stack(), given_config())
    if problems or settings is None:
        raise pulumi.RunError("\n".join(map(str, problems)))
    for warning in outdated(root, pulumi.get_stack(), settings):
        pulumi.log.warn(str(warning))
    try:
        return settings.leaving_out(os.environ.get(LEAVE_OUT, ""))
    except ValueError as error:
        raise pulumi.RunError(f"{LEAVE_OUT}: {error}") from None


def given_config() -> dict[str, Any]:
    """Each setting that the engine has, as read by the getter for what it is."""
    config = pulumi.Config(PREFIX.removesuffix(":"))
    given = {}
    for field in Settings.model_fields.values():
        key = str(field.alias)
        name = key.removeprefix(PREFIX)
        if (text := config.get(name)) is not None:
            given[key] = text if key in TEXTS else _object(config, name)
    return given


def _object(config: pulumi.Config, name: str) -> Any:
    """A mapping, list, boolean or number; the text where it is none, such as `*` for `teams`."""
    try:
        return config.get_object(name)
    except pulumi.ConfigTypeError:
        return config.get(name)
