"""What the program would create, from runs of it for shares of the teams."""

import json
import os
import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import yaml

from dryrun.recording import Registration, record_stack
from specs.exception_checks import judged
from specs.readers import Dumper
from specs.settings import PREFIX
from tools.rendering.index import Index, index, owner

FOLDERS = {"kubernetes": "kubernetes", "harbor": "harbor", "vault": "openbao"}

_Part = TypeVar("_Part")

# The most teams in one run of the program: while it runs, the SDK keeps ten times an object's
# document in memory. Runs are spread over the machine's processors.
_TEAMS_A_RUN = 25
# A process keeps a megabyte of each team that it has run, so it is replaced after this many runs.
_RUNS_A_WORKER = 4


@dataclass
class Rendered:
    """Documents by their path, and their index."""

    documents: dict[str, str] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def add(self, part: "Rendered") -> None:
        """Add what another run has created; for the platform, each run creates the same."""
        self.documents |= part.documents
        self.index.add(part.index)


def rendered(
    root: Path,
    stack: str,
    teams: Sequence[str],
    tenants: Path,
    text: Callable[[Mapping[str, Any]], str],
    *,
    expired: bool = False,
) -> Rendered:
    """The documents that the program creates for validated teams: `as_yaml`, or `as_json`.

    `expired`: whether exceptions that have expired are none, as for files of the past.
    """
    whole = Rendered()
    for part in _parts(partial(_rendered_by, root, stack, tenants, text, expired), teams):
        whole.add(part)
    return whole


def as_yaml(document: Mapping[str, Any]) -> str:
    """A document for people."""
    return yaml.dump(document, Dumper=Dumper, sort_keys=True, allow_unicode=True, width=100)


def as_json(document: Mapping[str, Any]) -> str:
    """A document to compare and to read back: equal ones have equal texts."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class MadeObject:
    """An object that the program creates, with its team and app: "" for the platform, and for none.

    `server` is the folder of its document, and `content` the document, if it was asked for.
    """

    server: str
    kind: str
    name: str
    team: str
    app: str
    content: dict[str, Any] | None


def made_objects(
    root: Path,
    stack: str,
    teams: Sequence[str],
    tenants: Path,
    kinds: Collection[str],
    *,
    expired: bool = False,
) -> Iterator[MadeObject]:
    """The objects that the program creates for validated teams, with the content of some kinds.

    The kinds are Kubernetes'. What all teams share may come several times. `expired` is as in
    `rendered`.
    """
    run = partial(_made_by, root, stack, tenants, frozenset(kinds), expired)
    for part in _parts(run, teams):
        yield from part


def _parts(run: Callable[[Sequence[str]], _Part], teams: Sequence[str]) -> Iterator[_Part]:
    """The results of runs for shares of the teams, in parallel."""
    runs = max(1, -(-len(teams) // _TEAMS_A_RUN))
    shares = [teams[first::runs] for first in range(runs)]
    if runs == 1:
        yield run(*shares)
        return
    workers = min(runs, os.cpu_count() or 1)
    # One process loads the program's modules, and the workers are its copies.
    context = get_context("forkserver")
    context.set_forkserver_preload(["components", __name__])
    # Ctrl-C reaches all processes of the terminal: this one ends the others.
    ignored = (signal.SIGINT, signal.SIG_IGN)
    for first in range(0, runs, workers * _RUNS_A_WORKER):
        with ProcessPoolExecutor(
            workers, mp_context=context, initializer=signal.signal, initargs=ignored
        ) as pool:
            yield from pool.map(run, shares[first : first + workers * _RUNS_A_WORKER])


def _rendered_by(
    root: Path,
    stack: str,
    tenants: Path,
    text: Callable[[Mapping[str, Any]], str],
    expired: bool,
    teams: Sequence[str],
) -> Rendered:
    """What one run of the program creates for some teams."""
    made = _registered(root, stack, tenants, expired, teams)
    objects = {_path(one): one for one in made if _has_document(one)}
    others = [one for one in made if one.package != "sre" and not _has_document(one)]
    documents = {path: text(_document(one)) for path, one in objects.items()}
    return Rendered(documents, index(objects, others))


def _registered(
    root: Path, stack: str, tenants: Path, expired: bool, teams: Sequence[str]
) -> Sequence[Registration]:
    with judged(expiry=not expired):
        return record_stack(root, stack, tenants, {f"{PREFIX}teams": list(teams)}).registrations


def _made_by(
    root: Path,
    stack: str,
    tenants: Path,
    kinds: frozenset[str],
    expired: bool,
    teams: Sequence[str],
) -> list[MadeObject]:
    """What one run of the program creates, with the content of some kinds."""
    made = _registered(root, stack, tenants, expired, teams)
    return [_made(one, kinds) for one in made if _has_document(one)]


def _made(one: Registration, kinds: frozenset[str]) -> MadeObject:
    wanted = one.package == "kubernetes" and one.inputs["kind"] in kinds
    content = one.inputs if wanted else None
    return MadeObject(FOLDERS[one.package], _kind(one), _name(one), *owner(one), content)


def _has_document(made: Registration) -> bool:
    is_object = made.package != "kubernetes" or "metadata" in made.inputs
    return made.package in FOLDERS and is_object


def _kind(made: Registration) -> str:
    return made.type.rpartition(":")[2]


def _place(made: Registration) -> str:
    if made.package == "kubernetes":
        place: str = made.inputs["metadata"].get("namespace", "_cluster")
        return place
    return owner(made)[0] or "_platform"


def _name(made: Registration) -> str:
    if made.package == "kubernetes":
        name: str = made.inputs["metadata"]["name"]
        return name
    return made.name.removeprefix(f"{_place(made)}/")


def _path(made: Registration) -> str:
    name = quote(_name(made), safe="")
    return f"{FOLDERS[made.package]}/{_place(made)}/{_kind(made)}-{name}.yaml"


def _document(made: Registration) -> Mapping[str, Any]:
    if made.package == "kubernetes":
        return made.inputs
    return {"type": made.type, "properties": made.inputs}
