"""Moves what the stacks of a cluster have in common to the cluster's file."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from specs.cluster_file import cluster_file, merged
from specs.names import check_dns_label
from specs.problem import WHOLE_FILE, Loc, Problem, ProblemsError, key_path
from specs.settings import PREFIX, ClusterSettings
from specs.source import Loader, Source
from specs.stack_file import CLUSTER, config_in, read_stack, stack_source
from tools.editing.lines import comments_above, end, line_end, line_start, with_lines, without
from tools.editing.scalar import written
from tools.editing.team_file import refuse, save

_HEAD = """\
# yaml-language-server: $schema=../schemas/cluster.schema.json
# The settings of every stack with `{key}: {name}`. All keys: docs/reference.md.
"""

_SHARED = frozenset(f"{PREFIX}{field.alias}" for field in ClusterSettings.model_fields.values())

_CONFIG: Loc = ("config",)
_IDENTIFIER: Loc = (*_CONFIG, f"{PREFIX}kubernetes", "clusterIdentifier")


@dataclass(frozen=True)
class Moved:
    """What has been moved: the cluster's file, the keys in it, and those that each stack keeps."""

    file: str
    keys: tuple[str, ...]
    kept: Mapping[str, tuple[str, ...]]


def new_cluster(root: Path, name: str, stacks: Sequence[str]) -> Moved:
    """Write the file of a cluster with what `stacks` have in common, and remove that from theirs.

    The settings of each stack are as before. If it raises ProblemsError or is interrupted, nothing
    is written.
    """
    shown = cluster_file(name)
    try:
        check_dns_label(name)
    except ValueError as error:
        raise ProblemsError(Problem(shown, 1, 1, WHOLE_FILE, str(error))) from None
    if (root / shown).exists():
        raise ProblemsError(
            Problem(shown, 1, 1, WHOLE_FILE, "already exists; choose another name, or edit it")
        )
    sources = _all_readable(root, stacks)
    refuse(_of_other_clusters(sources))
    shared = _common([_shareable(source) for source in sources])
    best = max(sources, key=lambda source: source.text.count("#"))  # explains most
    text = _cluster_text(best, shared, _HEAD.format(key=CLUSTER, name=name))
    cluster = Source(root / shown, shown, text=text)
    comments = {line.strip() for line in text.splitlines() if line.lstrip().startswith("#")}
    changed = [_in_cluster(source, shared, comments, name) for source in sources]
    below = {f"{PREFIX}{key}": value for key, value in (cluster.data or {}).items()}
    for before, after in zip(sources, changed, strict=True):
        config = {**config_in(before.data), CLUSTER: name}
        if merged(below, config_in(after.data)) != config or _beside(before) != _beside(after):
            message = "is in a form that cannot be split; write one key per line"
            raise ProblemsError(before.problem(_CONFIG, message))
    cluster.file.parent.mkdir(exist_ok=True)
    save(cluster, *changed)
    kept = {each.shown: tuple(_paths(config_in(each.data))) for each in changed}
    return Moved(shown, tuple(_paths(cluster.data)), kept)


def _all_readable(root: Path, stacks: Sequence[str]) -> list[Source]:
    """The stacks' files. Raises ProblemsError with what is wrong in any of them."""
    sources, found = list[Source](), list[Problem]()
    for stack in stacks:
        try:
            sources.append(_readable(root, stack))
        except ProblemsError as error:
            found += error.problems
    refuse(found)
    return sources


def _readable(root: Path, stack: str) -> Source:
    """A stack's file, with mappings and lists that Pulumi's CLI wrote as text turned into YAML."""
    settings, problems = read_stack(root, stack)
    source = stack_source(root, stack)
    refuse(problems)
    assert settings  # there are no problems
    if settings.cluster:
        message = "is set already; leave this stack out"
        raise ProblemsError(source.problem((*_CONFIG, CLUSTER), message))
    refuse(_aliases(source))
    for key, value in _shareable(source).items():
        node = source.node((*_CONFIG, key))
        if node and value != source.data["config"][key]:
            before, after = source.text[: node.start_mark.index], source.text[end(node) :]
            source = _with_text(source, before + json.dumps(value) + after)
    return source


def _aliases(source: Source) -> Iterator[Problem]:
    """A problem for each value that is written elsewhere: it cannot be moved alone."""
    for event in yaml.parse(source.text, Loader=Loader):
        merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<"
        if merge or isinstance(event, yaml.AliasEvent):
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            message = "takes a value from an anchor; write the value out"
            yield Problem(source.shown, line, column, WHOLE_FILE, message)


def _shareable(source: Source) -> dict[str, Any]:
    """The settings in a stack's file that a cluster's file may have."""
    return {key: value for key, value in config_in(source.data).items() if key in _SHARED}


def _beside(source: Source) -> dict[str, Any]:
    """What a stack's file has beside its config, such as what Pulumi encrypts with."""
    return {key: value for key, value in (source.data or {}).items() if key != "config"}


def _of_other_clusters(sources: Sequence[Source]) -> Iterator[Problem]:
    """A problem for each stack whose cluster is not that of the first one."""
    first = sources[0].raw(_IDENTIFIER)
    for source in sources:
        if source.raw(_IDENTIFIER) != first:
            message = f"is not '{first}', as in {sources[0].shown}; leave one of the stacks out"
            yield source.problem(_IDENTIFIER, message)


def _common(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all mappings have in common; of mappings in them, what those have."""
    found = dict[str, Any]()
    for key in values[0]:
        those = [each[key] for each in values if key in each]
        if len(those) < len(values):
            continue
        if all(each == those[0] for each in those):
            found[key] = those[0]
        elif all(isinstance(each, dict) for each in those) and (inner := _common(those)):
            found[key] = inner
    return found


def _in_cluster(
    source: Source, shared: Mapping[str, Any], comments: Collection[str], name: str
) -> Source:
    """A stack's file with its cluster's name in place of what is shared."""
    places = _common_places(config_in(source.data), shared)
    return _with_cluster(_without(source, places, comments), name)


def _common_places(config: Any, shared: Any, loc: Loc = _CONFIG) -> Iterator[Loc]:
    """Where `config` has what is shared, each place as high up as possible."""
    for key, value in shared.items():
        if config[key] == value:
            yield (*loc, key)
        else:
            yield from _common_places(config[key], value, (*loc, key))


def _other_places(config: Any, shared: Any, loc: Loc = _CONFIG) -> Iterator[Loc]:
    """Where `config` has anything else, each place as high up as possible."""
    for key, value in config.items():
        if key not in shared:
            yield (*loc, key)
        elif value != shared[key]:
            yield from _other_places(value, shared[key], (*loc, key))


def _without(
    source: Source, places: Iterable[Loc], comments: Collection[str] | None = None
) -> Source:
    for loc in places:
        source = _with_text(source, without(source, loc, comments))
    return source


def _with_text(source: Source, text: str) -> Source:
    return Source(source.file, source.shown, text=text)


def _cluster_text(stack: Source, shared: Mapping[str, Any], head: str) -> str:
    """The cluster's file: the lines of the stack's file that say what is shared."""
    source = _without(stack, _other_places(config_in(stack.data), shared))
    config = source.node(_CONFIG)
    if not isinstance(config, yaml.MappingNode) or config.flow_style:
        message = "is written in braces; use `key: value` lines"
        raise ProblemsError(stack.problem(_CONFIG, message))
    start = comments_above(source.text, line_start(source.text, config.start_mark.index))
    text = source.text[: line_end(source.text, end(config))]
    for key, _ in reversed(config.value):
        name = str(key.value).removeprefix(PREFIX)
        text = text[: key.start_mark.index] + name + text[key.end_mark.index :]
    indentation = re.compile(rf"^ {{1,{config.start_mark.column}}}", re.MULTILINE)
    return with_lines(indentation.sub("", text[start:]), 0, head.splitlines())


def _with_cluster(source: Source, name: str) -> Source:
    """A stack's file with its cluster's name as the first setting."""
    text, config = source.text, source.node(_CONFIG)
    if not isinstance(config, yaml.MappingNode):
        return source
    setting = f"{CLUSTER}: {written(name)}"
    if config.flow_style:
        at = config.start_mark.index + 1
        return _with_text(source, f"{text[:at]}{setting}, {text[at:]}")
    at = comments_above(text, line_start(text, config.start_mark.index))
    return _with_text(source, with_lines(text, at, [" " * config.start_mark.column + setting]))


def _paths(config: Mapping[str, Any], loc: Loc = ()) -> Iterator[str]:
    """The keys of a config, as people write them, without what is inside of lists."""
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from _paths(value, (*loc, key))
        elif key != CLUSTER:
            yield key_path((*loc, key))
