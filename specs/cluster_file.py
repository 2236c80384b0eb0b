"""A cluster's file, `clusters/<cluster>.yaml`: what its stacks have in common.

A stack's own settings win: mappings are merged key by key, at every depth; any other value, lists
included, replaces the cluster's.
"""

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from specs.explain import explain
from specs.problem import Loc, Problem, one_a_place
from specs.settings import ClusterSettings
from specs.source import Source

FOLDER = "clusters"
_SUFFIX = ".yaml"


def cluster_names(root: Path) -> list[str]:
    """The project's clusters, according to their files; hidden files are not among them."""
    files = (root / FOLDER).glob(f"*{_SUFFIX}")
    return sorted(file.stem for file in files if not file.name.startswith("."))


def cluster_file(name: str) -> str:
    """The path of a cluster's file below the project's folder."""
    return f"{FOLDER}/{name}{_SUFFIX}"


def read_cluster(root: Path, name: str) -> Source:
    """The file of one of `cluster_names`."""
    file = root / cluster_file(name)
    if file.is_file() and os.access(file, os.R_OK):
        # Many stacks have the same cluster.
        return _same(file, cluster_file(name), file.read_bytes())
    return _read(file, cluster_file(name))


@lru_cache(maxsize=8)
def _same(file: Path, shown: str, content: bytes) -> Source:
    return _read(file, shown)


def _read(file: Path, shown: str) -> Source:
    return Source(file, shown, first_key="kubernetes")


def check_cluster(source: Source) -> list[Problem]:
    """What is wrong with the file, whatever its stacks say."""
    if source.data is None:
        return source.problems
    try:
        ClusterSettings.model_validate(source.data)
    except ValidationError as error:
        found = [
            explain(source, source.data, ClusterSettings, each)
            for each in error.errors(include_url=False)
        ]
        return list(one_a_place([*source.problems, *found]))
    return source.problems


def merged(cluster: Any, own: Any) -> Any:
    """A cluster's value with a stack's own over it."""
    if not isinstance(cluster, Mapping) or not isinstance(own, Mapping):
        return own
    both = {key: merged(cluster[key], own[key]) if key in own else cluster[key] for key in cluster}
    return {**own, **both}


def from_cluster(cluster: Any, own: Any, loc: Loc) -> bool:
    """Whether the merged value at `loc` is the cluster's; also for a key that both lack."""
    for part in loc:
        if not isinstance(cluster, Mapping) or not isinstance(own, Mapping):
            return False
        if part not in own:
            return True
        if part not in cluster:
            return False
        cluster, own = cluster[part], own[part]
    return False


def overrides(cluster: Any, own: Any, loc: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    """A stack's own values that replace its cluster's, each with its place."""
    if not isinstance(cluster, Mapping) or not isinstance(own, Mapping):
        yield loc, own
        return
    for key in cluster:
        if key in own:
            yield from overrides(cluster[key], own[key], (*loc, key))
