"""Writes every object the program would create, a YAML document a file."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from rendering.index import index, owner
from sandbox.recording import Registration, record_stack
from specs.fleet import TeamsFolder, load_stack
from specs.problem import WHOLE_FILE, Problem
from specs.readers import AMBIGUOUS, LINE_ENDS
from specs.settings import Settings

# Marks a folder that render made, and so may replace; says what the documents in it do not.
MARKER = ".sre-render"

_FOLDERS = {"kubernetes": "kubernetes", "harbor": "harbor", "vault": "openbao"}


def render(
    root: Path, stack: str, settings: Settings, folder: TeamsFolder, out: Path
) -> tuple[Sequence[Problem], int]:
    """Problems, or how many objects it wrote; with problems nothing is written."""
    problems = load_stack(folder, settings).problems
    if problems:
        return problems, 0
    if out.exists() and not _is_ours(out):
        message = "holds files that render did not write; name a new or an empty folder"
        return [Problem(str(out), 1, 1, WHOLE_FILE, message)], 0
    registrations = record_stack(root, stack, folder.path).registrations
    objects = {_path(one): one for one in registrations if _has_document(one)}
    others = [one for one in registrations if one.package != "sre" and not _has_document(one)]
    try:
        _write({path: _text(made) for path, made in objects.items()}, out)
        # Written last: what it says is there, is.
        (out / MARKER).write_text(index(objects, others), encoding="utf-8")
    except OSError as error:
        message = f"cannot be written to: {error.strerror}; name another folder"
        return [Problem(str(out), 1, 1, WHOLE_FILE, message)], 0
    return [], len(objects)


def _has_document(made: Registration) -> bool:
    is_object = made.package != "kubernetes" or "metadata" in made.inputs
    return made.package in _FOLDERS and is_object


def _path(made: Registration) -> str:
    kind = made.type.rpartition(":")[2]
    if made.package == "kubernetes":
        metadata = made.inputs["metadata"]
        place, name = metadata.get("namespace", "_cluster"), metadata["name"]
    else:
        place = owner(made)[0] or "_platform"
        name = made.name.removeprefix(f"{place}/")
    return f"{_FOLDERS[made.package]}/{place}/{kind}-{quote(name, safe='')}.yaml"


def _text(made: Registration) -> str:
    document: Mapping[str, Any] = made.inputs
    if made.package != "kubernetes":
        document = {"type": made.type, "properties": made.inputs}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes text so that every reader of YAML gets that text."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if LINE_ENDS.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    elif AMBIGUOUS.fullmatch(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _is_ours(out: Path) -> bool:
    return out.is_dir() and ((out / MARKER).exists() or not any(out.iterdir()))


def _write(documents: Mapping[str, str], out: Path) -> None:
    """Replaces what an earlier render wrote: an object that is gone leaves no file behind."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("", encoding="utf-8")
    for folder in _FOLDERS.values():
        shutil.rmtree(out / folder, ignore_errors=True)
    for path, text in documents.items():
        file = out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
