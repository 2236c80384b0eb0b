"""What a cluster has of many teams: each kind in one list over all namespaces, where allowed."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from clients.http import RefusedError, UnreachableError
from clients.kubernetes import Cluster, Object
from specs.settings import Settings
from specs.team import Team
from tools.status.cluster_state import FORBIDDEN, ClusterState, paths, why_unread

QUOTAS = "resourcequotas"

_AT_ONCE = 8
_OBJECTS = "500"  # in one answer
_IN_NAMESPACE = re.compile(r"/namespaces/([^/]+)")

# The objects of a list by their namespace, or why there is no list.
_Answer = Mapping[str, Sequence[Object]] | str


@dataclass(frozen=True)
class FleetState:
    """The teams' objects by the teams' names, and the kinds that were listed by namespace."""

    teams: Mapping[str, ClusterState]
    by_namespace: frozenset[str]


def read_fleet(
    cluster: Cluster, teams: Sequence[Team], settings: Settings, since: datetime, now: datetime
) -> FleetState:
    """List all that reports on the teams need, and their ResourceQuotas.

    A list over all namespaces that is forbidden is replaced by one in each namespace; for a single
    team, only its namespaces are listed. What cannot be listed is noted. Raises UnreachableError if
    the API server is gone, and RefusedError (401) if it does not know the caller.
    """
    cluster.who_am_i()
    wanted = {team.name: _paths(team, settings) for team in teams}
    every = {path: plural for own in wanted.values() for plural, path in own.items()}
    wide = {path: _IN_NAMESPACE.sub("", path) for path in every} if len(teams) > 1 else {}
    answers = _ask(cluster, set(wide.values()))
    narrow = [path for path in every if answers.get(wide.get(path, ""), FORBIDDEN) == FORBIDDEN]
    found = {path: answers[wide[path]] for path in every if path in wide} | _ask(cluster, narrow)
    states = {team: _state(own, found, since, now) for team, own in wanted.items()}
    return FleetState(states, frozenset(every[path] for path in narrow))


def _paths(team: Team, settings: Settings) -> Mapping[str, str]:
    quotas = f"api/v1/namespaces/{team.name}/{QUOTAS}"
    return {**paths(team, settings), QUOTAS: quotas}


def _state(
    paths: Mapping[str, str], found: Mapping[str, _Answer], since: datetime, now: datetime
) -> ClusterState:
    listed: dict[str, Sequence[Object]] = {}
    unread: dict[str, str] = {}
    for plural, path in paths.items():
        answer = found[path]
        if isinstance(answer, str):
            unread[plural] = answer
        else:
            listed[plural] = answer.get(_namespace(path), ())
    return ClusterState(listed, unread, now, since)


def _namespace(path: str) -> str:
    found = _IN_NAMESPACE.search(path)
    assert found, "objects of teams and gateways have a namespace"
    return found[1]


def _ask(cluster: Cluster, paths: Iterable[str]) -> dict[str, _Answer]:
    asked = list(paths)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(asked, pool.map(partial(_answer, cluster), asked), strict=True))


def _answer(cluster: Cluster, path: str) -> _Answer:
    found = defaultdict(list)
    try:
        for each in _objects(cluster, path):
            each["metadata"].pop("managedFields", None)  # often half of an object
            found[each["metadata"]["namespace"]].append(each)
    except RefusedError as refusal:
        return why_unread(refusal)
    except UnreachableError:
        cluster.who_am_i()  # raises the same if the server is gone
        return "no answer"
    return found


def _objects(cluster: Cluster, path: str) -> Iterator[Object]:
    """All objects at a path, asked for in parts."""
    query = {"limit": _OBJECTS}
    while True:
        answer = cluster.call("GET", path, query=query)
        yield from answer["items"]
        rest = answer.get("metadata", {}).get("continue")
        if not rest:
            return
        query = {"limit": _OBJECTS, "continue": rest}
