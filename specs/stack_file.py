"""A stack's file, `Pulumi.<stack>.yaml`: its settings, and what is wrong with them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import ConfigDict, Field, ValidationError

from specs.base import Spec
from specs.explain import explain
from specs.fleet import TeamsFolder, wrong_teams
from specs.namespace import check_credentials
from specs.network_settings import check_network
from specs.problem import Finding, Loc, Problem, one_a_place
from specs.settings import PREFIX, Settings
from specs.source import Source, frozen


class _StackFile(Spec):
    """This project's part of the file; Pulumi keeps other keys beside it."""

    model_config = ConfigDict(extra="ignore")

    config: Settings = Field(
        description="The stack's config.", examples=["{sre-platform:teams: '*'}"]
    )


# Settings that are text: as JSON, `"2027"` would not be a number there.
TEXTS = frozenset(
    field.alias
    for field in Settings.model_fields.values()
    if field.annotation is str or get_origin(field.annotation) is Literal
)


def stack_names(root: Path) -> list[str]:
    """The project's stacks, according to their files."""
    files = (file.name for file in root.glob("Pulumi.*.yaml"))
    return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in files)


def config_in(data: Any) -> dict[str, Any]:
    """The config in a stack file's data, with this project's settings as the program gets them.

    Pulumi's CLI writes values that are not nested as text: `"true"`, or a mapping as JSON.
    """
    config = data.get("config") if isinstance(data, dict) else None
    return {
        key: frozen(decoded(key, value)) if str(key).startswith(PREFIX) else value
        for key, value in (config.items() if isinstance(config, dict) else ())
    }


def decoded(key: str, value: Any) -> Any:
    """The value of a setting in a file, as `components/config.py` gets it from the engine.

    The engine has mappings, lists and booleans as JSON, strings bare.
    """
    if not isinstance(value, str) or key in TEXTS:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def outdated(root: Path, stack: str, settings: Settings) -> Iterator[Problem]:
    """A warning for each setting that is no longer used."""
    if settings.moved:
        source = _source(root, stack)
        message = "is no longer needed, because the stack's state lists its teams; remove it"
        yield source.problem(("config", f"{PREFIX}moved"), message, at_key=True)


def read_stack(
    root: Path, stack: str, config: Mapping[str, Any] | None = None
) -> tuple[Settings | None, list[Problem]]:
    """Settings of `stack`; `config` is the engine's, if the engine runs the program.

    Problems point into the stack's file; if there are any, do not use the settings.
    """
    source = _source(root, stack)
    data = source.data
    problems = source.problems if config is None else list[Problem]()
    in_file = config_in(data)
    if config is not None:
        # The engine returns only requested keys; misspelt ones are only in the file.
        known = {field.alias for field in Settings.model_fields.values()}
        unknown = {key: value for key, value in in_file.items() if key not in known}
        data = {"config": {**unknown, **frozen(dict(config))}}
    elif in_file:
        data = {**data, "config": in_file}
        message = "must not be encrypted, because no setting is secret; set it with `--plaintext`"
        if encrypted := [source.problem(loc, message) for loc in _encrypted(in_file, ("config",))]:
            return None, [*problems, *encrypted]
    if data is None:
        return None, problems
    try:
        settings = _StackFile.model_validate(data).config
    except ValidationError as error:
        found = [
            explain(source, data, _StackFile, each)
            for each in error.errors(include_url=False)
            # `teams` is a list or "*": for a wrong list, its entries are reported, not that it is
            # not "*".
            if each["type"] != "literal_error"
            or isinstance(each["input"], str)
            or each["loc"][:2] != ("config", f"{PREFIX}teams")
        ]
        return None, list(one_a_place([*problems, *found]))
    loc = ("config", f"{PREFIX}teams")
    folder = TeamsFolder(root / settings.tenants, settings.tenants)
    wrong = wrong_teams(folder, settings)
    found = [source.problem((*loc, index), message) for index, message in wrong]
    secret = check_credentials(settings.namespace, ("config", f"{PREFIX}namespace"))
    others = (*_check_authorization(settings), *check_network(settings, folder))
    found += [source.problem(*finding) for finding in (*secret, *others)]
    return settings, [*problems, *sorted(found)]


def _check_authorization(settings: Settings) -> Iterator[Finding]:
    if settings.istio.authorization and settings.metrics.scrape == "plain":
        yield (
            ("config", f"{PREFIX}istio", "authorization"),
            "would refuse Prometheus, which has no identity with metrics.scrape plain; set that to "
            "merged or mesh",
        )


def _encrypted(value: Any, loc: Loc) -> Iterator[Loc]:
    """Places of this project's settings that `pulumi config set --secret` wrote."""
    if not isinstance(value, dict):
        return
    if value.keys() == {"secure"}:
        yield loc
        return
    for key, inner in value.items():
        if len(loc) > 1 or str(key).startswith(PREFIX):
            yield from _encrypted(inner, (*loc, key))


def _source(root: Path, stack: str) -> Source:
    shown = f"Pulumi.{stack}.yaml"
    return Source(root / shown, shown, first_key="config")
