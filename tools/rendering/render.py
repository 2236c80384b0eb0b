"""Writes every object that the program would create, one YAML document per file."""

import os
import shutil
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
from specs.fleet import TeamsFolder, load_stack
from specs.problem import WHOLE_FILE, Problem
from specs.readers import Dumper
from specs.settings import PREFIX, Settings
from tools.rendering.index import Index, index, owner

# Marks a folder as created by render, which may replace it; records what the documents do not.
MARKER = ".sre-render"

_Part = TypeVar("_Part")

_FOLDERS = {"kubernetes": "kubernetes", "harbor": "harbor", "vault": "openbao"}


# The most teams in one run of the program: while it runs, the SDK keeps ten times an object's
# document in memory. Runs are spread over the machine's processors.
_TEAMS_A_RUN = 25
# A process keeps a megabyte of each team that it has run, so it is replaced after this many runs.
_RUNS_A_WORKER = 4


@dataclass(frozen=True)
class Outcome:
    """The result of a render: with `problems`, nothing is written; otherwise this many objects."""

    problems: Sequence[Problem]
    warnings: Sequence[Problem] = ()
    written: int = 0


@dataclass
class _Tree:
    """Documents by their path, and their entries in the index."""

    documents: dict[str, str] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def add(self, part: "_Tree") -> None:
        """Add what another run has created; for the platform, each run creates the same."""
        self.documents |= part.documents
        self.index.add(part.index)


def render(
    root: Path,
    stack: str,
    settings: Settings,
    folder: TeamsFolder,
    out: Path,
    *,
    expired: bool = False,
) -> Outcome:
    """Render the stack's teams to `out`, or report the problems.

    `expired`: whether exceptions that have expired are none, as for files of the past.
    """
    with judged(expiry=not expired):
        fleet = load_stack(folder, settings)
    if fleet.problems:
        return Outcome(fleet.problems)
    if out.exists() and not _is_ours(out):
        message = "contains files that render did not write; name a new or an empty folder"
        return Outcome([Problem(str(out), 1, 1, WHOLE_FILE, message)])
    run = partial(_run, root, stack, folder.path, expired)
    tree = _tree(run, [team.name for team in fleet.teams])
    try:
        _write(tree.documents, out)
        # Written last: everything that it lists exists.
        (out / MARKER).write_text(tree.index.text(), encoding="utf-8")
    except OSError as error:
        message = f"cannot be written to: {error.strerror}; name another folder"
        return Outcome([Problem(str(out), 1, 1, WHOLE_FILE, message)])
    return Outcome((), fleet.warnings, len(tree.documents))


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
    `render`.
    """
    run = partial(_made_by, root, stack, tenants, frozenset(kinds), expired)
    for part in _parts(run, teams):
        yield from part


def _tree(run: Callable[[Sequence[str]], _Tree], teams: Sequence[str]) -> _Tree:
    tree = _Tree()
    for part in _parts(run, teams):
        tree.add(part)
    return tree


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


def _run(root: Path, stack: str, tenants: Path, expired: bool, teams: Sequence[str]) -> _Tree:
    """What one run of the program creates for some teams, which have been validated."""
    made = _registered(root, stack, tenants, expired, teams)
    objects = {_path(one): one for one in made if _has_document(one)}
    others = [one for one in made if one.package != "sre" and not _has_document(one)]
    return _Tree({path: _text(one) for path, one in objects.items()}, index(objects, others))


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
    return MadeObject(_FOLDERS[one.package], _kind(one), _name(one), *owner(one), content)


def _has_document(made: Registration) -> bool:
    is_object = made.package != "kubernetes" or "metadata" in made.inputs
    return made.package in _FOLDERS and is_object


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
    return f"{_FOLDERS[made.package]}/{_place(made)}/{_kind(made)}-{name}.yaml"


def _text(made: Registration) -> str:
    document: Mapping[str, Any] = made.inputs
    if made.package != "kubernetes":
        document = {"type": made.type, "properties": made.inputs}
    return yaml.dump(document, Dumper=Dumper, sort_keys=True, allow_unicode=True, width=100)


def _is_ours(out: Path) -> bool:
    return out.is_dir() and ((out / MARKER).exists() or not any(out.iterdir()))


def _write(documents: Mapping[str, str], out: Path) -> None:
    """Replace what an earlier render wrote: a removed object leaves no file behind."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("", encoding="utf-8")
    for folder in _FOLDERS.values():
        shutil.rmtree(out / folder, ignore_errors=True)
    for path, text in documents.items():
        file = out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
