"""The stack's settings as the engine knows them."""

import os
from pathlib import Path

import pulumi

from specs.settings import LEAVE_OUT, PREFIX, Settings
from specs.stack_file import decoded, outdated, read_stack


def stack_settings(root: Path) -> Settings:
    """The checked settings of the running stack.

    Raises pulumi.RunError, a line for each problem: `Pulumi.<stack>.yaml:line:column: key: ...`.
    What `SRE_PLATFORM_LEAVE_OUT` names is not managed in this run.
    """
    config = pulumi.Config(PREFIX.removesuffix(":"))
    given = {}
    for field in Settings.model_fields.values():
        key = str(field.alias)
        value = config.get(key.removeprefix(PREFIX))
        if value is not None:
            given[key] = decoded(key, value)
    settings, problems = read_stack(root, pulumi.get_stack(), given)
    if problems or settings is None:
        raise pulumi.RunError("\n".join(map(str, problems)))
    for warning in outdated(root, pulumi.get_stack(), settings):
        pulumi.log.warn(str(warning))
    try:
        return settings.leaving_out(os.environ.get(LEAVE_OUT, ""))
    except ValueError as error:
        raise pulumi.RunError(f"{LEAVE_OUT}: {error}") from None
