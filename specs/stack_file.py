"""A stack's settings, in `Pulumi.<stack>.yaml` and its cluster's file, and what is wrong there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import ConfigDict, Field, ValidationError

from specs.base import Spec
from specs.cluster_file import (
    check_cluster,
    cluster_file,
    cluster_names,
    from_cluster,
    merged,
    overrides,
    read_cluster,
)
from specs.explain import document_loc, explain
from specs.fleet import TeamsFolder, wrong_teams
from specs.names import nearest
from specs.namespace import check_credentials
from specs.network_settings import check_network
from specs.problem import Finding, Loc, Problem, one_a_place
from specs.settings import PREFIX, Settings, StackSettings
from specs.source import Source, frozen


class _StackFile(Spec):
    """This project's part of the file; Pulumi keeps other keys beside it."""

    model_config = ConfigDict(extra="ignore")

    config: Settings = Field(
        description="The stack's config.", examples=["{sre-platform:teams: '*'}"]
    )


CLUSTER = f"{PREFIX}cluster"
TEAMS = f"{PREFIX}teams"

# Settings that only a stack has.
_OWN = [(f"{PREFIX}{field.alias}",) for field in StackSettings.model_fields.values()]

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
        source = stack_source(root, stack)
        message = "is no longer needed, because the stack's state lists its teams; remove it"
        yield source.problem(("config", f"{PREFIX}moved"), message, at_key=True)


def stack_config(root: Path, stack: str) -> dict[str, Any]:
    """The config of `stack` with its cluster's settings, as far as the files can be read."""
    return layers_of(root, stack).config


def overridden(root: Path, stack: str) -> dict[Loc, Any]:
    """The stack's own settings that replace its cluster's, by their place in the config."""
    layers = layers_of(root, stack)
    return dict(overrides(layers.below, layers.own))


def read_stack(
    root: Path, stack: str, config: Mapping[str, Any] | None = None
) -> tuple[Settings | None, list[Problem]]:
    """Settings of `stack`; `config` is the engine's, if the engine runs the program.

    Problems point into the stack's file or its cluster's; if there are any, do not use the
    settings.
    """
    source = stack_source(root, stack)
    data = source.data
    problems = source.problems if config is None else list[Problem]()
    own = config_in(data)
    if config is not None:
        # The engine returns only requested keys; misspelt ones are only in the file.
        known = {field.alias for field in Settings.model_fields.values()}
        unknown = {key: value for key, value in own.items() if key not in known}
        own = {**unknown, **frozen(dict(config))}
        data = {"config": own}
    elif own:
        message = "must not be encrypted, because no setting is secret; set it with `--plaintext`"
        if encrypted := [source.problem(loc, message) for loc in _encrypted(own, ("config",))]:
            return None, [*problems, *encrypted]
    if data is None:
        return None, problems
    layers = _layers(root, source, own)
    if layers.cluster:
        problems = [*problems, *check_cluster(layers.cluster)]
    elif isinstance(own.get(CLUSTER), str):
        message = _no_cluster(own[CLUSTER], cluster_names(root))
        return None, [*problems, source.problem(("config", CLUSTER), message)]
    if own:
        data = {**data, "config": layers.config}
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
            or each["loc"][:2] != ("config", TEAMS)
            # What is missing may be in the cluster's file, once the stack names it.
            if layers.cluster or CLUSTER not in own or each["loc"][:2] == ("config", CLUSTER)
            # Those of the cluster's file are reported already.
            if not layers.from_cluster(
                document_loc(data, each["loc"], missing=each["type"] == "missing")
            )
        ]
        return None, list(one_a_place([*problems, *found]))
    loc = ("config", TEAMS)
    folder = TeamsFolder(root / settings.tenants, settings.tenants)
    listed = () if settings.teams == "*" else settings.teams
    wrong = wrong_teams(listed, folder.names(), folder.shown)
    found = [source.problem((*loc, index), message) for index, message in wrong]
    secret = check_credentials(settings.namespace, ("config", f"{PREFIX}namespace"))
    others = (*_check_authorization(settings), *check_network(settings, folder))
    found += [layers.problem(*finding) for finding in (*secret, *others)]
    return settings, [*problems, *sorted(found)]


@dataclass(frozen=True)
class Layers:
    """A stack's own config, and the file of its cluster, if it has one that can be read."""

    source: Source
    own: dict[str, Any]
    cluster: Source | None

    @property
    def config(self) -> dict[str, Any]:
        """The stack's own over the cluster's."""
        return merged(self.below, self.own)

    def from_cluster(self, loc: Loc) -> bool:
        """Whether the value at a place of the stack's config is, or should be, its cluster's."""
        if self.cluster is None or loc[1:2] in _OWN:
            return False
        return from_cluster(self.below, self.own, loc[1:])

    def problem(self, loc: Loc, message: str) -> Problem:
        """A problem at a place of the stack's file, in the file that has its value."""
        if self.cluster and self.from_cluster(loc):
            key = str(loc[1]).removeprefix(PREFIX)
            return self.cluster.problem((key, *loc[2:]), message)
        return self.source.problem(loc, message)

    @property
    def below(self) -> dict[str, Any]:
        """The cluster's settings, with the keys that a stack's file has for them."""
        data = self.cluster.data if self.cluster else None
        return {PREFIX + key: value for key, value in (data or {}).items()}


def layers_of(root: Path, stack: str) -> Layers:
    """The files of `stack`, as far as they can be read."""
    source = stack_source(root, stack)
    return _layers(root, source, config_in(source.data))


def _layers(root: Path, source: Source, own: dict[str, Any]) -> Layers:
    cluster = None
    if own.get(CLUSTER) in cluster_names(root):
        cluster = read_cluster(root, own[CLUSTER])
    return Layers(source, own, cluster)


def _no_cluster(name: str, known: Sequence[str]) -> str:
    hint = nearest(name, known)
    use = f"did you mean {hint}?" if hint else f"use one of: {', '.join(known)}"
    return f"there is no {cluster_file(name)}; {use if known else 'add it'}"


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


def stack_source(root: Path, stack: str) -> Source:
    """The file of a stack, whether it exists or not."""
    shown = f"Pulumi.{stack}.yaml"
    return Source(root / shown, shown, first_key="config")
