"""Builds kustomizations with kustomize, on copies of the files that they name and of no others."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from binaries.pinned import KUSTOMIZE, KUSTOMIZE_PUBLISHED, find
from specs.problem import WHOLE_FILE, Loc, Problem
from specs.source import Source
from tools.migration.documents import Manifest, documents, manifests
from tools.migration.import_findings import UNREADABLE, Findings
from tools.migration.kustomization import (
    FILES,
    Kustomization,
    Reference,
    is_remote,
    kustomization_of,
)

ORIGIN = "config.kubernetes.io/origin"

_WITHIN = 60  # seconds

# A proxy at which nothing listens, for a program that must not use the network.
_NOWHERE = "http://127.0.0.1:9"

# The text with which kustomize introduces an error, and its quotes from files, which may contain
# secrets.
_LEADING = re.compile(
    r"accumulating (components|resources): |accumulation err='|"
    r"accumulating (components|resources) from '[^']*': |'[^']*' must resolve to a file'?: |"
    r"recursed (accumulation of|merging from) path '[^']*': "
)
_QUOTING = re.compile(r" with config: `.*`|`[^`]*`| from \[.*|\{\{.*\}\}", re.DOTALL)
_LONGEST = 300


@dataclass
class Checked:
    """All that a kustomization needs: its own file and, recursively, the files that it names.

    `resources` are files of objects, by their names in messages; `refused` are files and folders
    that are named and not built; `cut` are the entries that are left out, with a finding for each.
    If it is not `is_sound`, its build would not match what runs. If the folder has no
    kustomization, `generated` are the resources of the one that Flux generates for it.
    """

    folder: Path
    shown: str
    files: set[Path] = field(default_factory=set)
    resources: dict[Path, str] = field(default_factory=dict)
    refused: set[Path] = field(default_factory=set)
    generated: list[str] = field(default_factory=list)
    kustomizations: dict[Path, Kustomization] = field(default_factory=dict)
    cut: dict[Path, list[Loc]] = field(default_factory=dict)
    is_sound: bool = True

    @property
    def top(self) -> Kustomization | None:
        """The folder's own kustomization."""
        for kustomization in self.kustomizations.values():
            if kustomization.folder == self.folder:
                return kustomization
        return None


class Checker:
    """Checks a kustomization before it is built: nothing is downloaded, and no plugin runs.

    `read` returns the documents of a file; `repository` is the folder outside which nothing is
    read.
    """

    def __init__(
        self,
        read: Callable[[Path, str], Sequence[Source]],
        repository: Path | None,
        findings: Findings,
    ) -> None:
        self._read, self._repository, self._findings = read, repository, findings

    def check(self, folder: Path, shown: str) -> Checked:
        """Check what a folder's kustomization needs, or the one that Flux generates for it."""
        checked = Checked(folder, shown)
        if file := kustomization_of(folder):
            self._check(file, os.path.normpath(f"{shown}/{file.name}"), checked)
            return checked
        for path in _objects_below(folder):
            name = _shown(checked, path)
            if inner := kustomization_of(path):
                self._check(inner, f"{name}/{inner.name}", checked)
            elif any(manifests(source, Findings()) for source in self._read(path, name)):
                checked.files.add(path)
                checked.resources[path] = name
            else:
                continue
            checked.generated.append(f"./{path.relative_to(folder)}")
        return checked

    def add(self, checked: Checked, home: Manifest, reference: Reference) -> None:
        """Add what something other than a kustomization's own file names in its folder."""
        path = self._path(checked.folder, home, reference)
        if path is None or not self._follow(path, _shown(checked, path), home, reference, checked):
            checked.is_sound = False

    def _check(self, file: Path, shown: str, checked: Checked) -> None:
        if file in checked.kustomizations:
            return
        sources = self._read(file, shown)
        several = [name for name in FILES if (file.parent / name).is_file()]
        if file.is_symlink() or len(sources) != 1 or len(several) > 1:
            self._lose_file(file, shown, several)
            checked.is_sound = False
            checked.refused.add(file.parent)  # it is unclear which part of it is a patch
            return
        kustomization = Kustomization(Manifest(sources[0], (), sources[0].data))
        checked.kustomizations[file] = kustomization
        checked.files.add(file)
        home, cut = kustomization.manifest, checked.cut.setdefault(file, [])
        for loc, message in kustomization.refused():
            self._findings.lost.append(home.problem(loc, message, at_key=True))
            checked.is_sound = False
        for loc, message in kustomization.left_out():
            cut.append(loc)
            if message:
                self._findings.lost.append(home.problem(loc, message, at_key=True))
        for reference in kustomization.references():
            path = self._path(kustomization.folder, home, reference)
            fits = path is not None and self._follow(
                path, kustomization.shown(path), home, reference, checked
            )
            named = kustomization.folder / reference.named
            if not fits and os.path.exists(named):  # noqa: PTH110 (see tree)
                checked.refused.add(named.resolve())
            if not fits and reference.needed:
                checked.is_sound = False
            elif not fits:
                cut.append(reference.loc)

    def _lose_file(self, file: Path, shown: str, several: Sequence[str]) -> None:
        """A file that is not a kustomization, or one of two."""
        found = Findings()
        if not file.is_symlink():
            documents(file, shown, found)
        if file.is_symlink():
            message = "is a symbolic link, which Flux does not follow; replace it with the file"
        elif len(several) > 1:
            message = (
                f"the folder has {' and '.join(several)}, but kustomize reads only "
                "one; remove the others"
            )
        else:
            message = "must contain a single YAML document; write it as one"
        self._findings.lost += found.lost or [Problem(shown, 1, 1, WHOLE_FILE, message)]

    def _follow(
        self, path: Path, shown: str, home: Manifest, reference: Reference, checked: Checked
    ) -> bool:
        if not path.is_dir():
            if reference.what == "folder":
                self._lose(home, reference, "is a file; name the folder of a component")
                return False
            checked.files.add(path)
            if reference.what == "either":
                checked.resources[path] = shown
            return True
        try:
            next(path.iterdir(), None)
        except PermissionError:
            self._findings.lost.append(Problem(shown, 1, 1, WHOLE_FILE, UNREADABLE))
            return False
        file = kustomization_of(path) if reference.what != "file" else None
        if file is None:
            what = "a folder; name a file" if reference.what == "file" else _NO_KUSTOMIZATION
            self._lose(home, reference, f"is {what}")
            return False
        self._check(file, f"{shown}/{file.name}", checked)
        return True

    def _path(self, folder: Path, home: Manifest, reference: Reference) -> Path | None:
        """The target of the reference; None if it is lost, which is then among the findings."""
        named = reference.named
        if is_remote(named):
            message = "is remote, and an import fetches nothing; name a copy in the tree"
            self._lose(home, reference, message)
            return None
        path = Path(os.path.normpath(folder / named))
        # kustomize rejects absolute paths too, because another machine has other files there.
        if Path(named).is_absolute() or not os.path.exists(path):  # noqa: PTH110 (see tree)
            message = "is not in the imported files; import from a checkout that has it"
        elif Path(os.path.realpath(path)) != path:
            message = "goes through a symbolic link, which Flux does not follow; name the file"
        elif self._repository and not path.is_relative_to(self._repository):
            message = "is outside the repository; name a copy in it"
        elif path.is_file() and not path.is_relative_to(folder):
            message = (
                "is a file outside the kustomization's folder, which kustomize does not read; move "
                "it into the folder, or name a folder with a kustomization"
            )
        else:
            return path
        self._lose(home, reference, message)
        return None

    def _lose(self, home: Manifest, reference: Reference, message: str) -> None:
        self._findings.lost.append(home.problem(reference.loc, message))


_NO_KUSTOMIZATION = "a folder without a kustomization.yaml; add one, or name its files"


def _shown(checked: Checked, path: Path) -> str:
    return os.path.normpath(f"{checked.shown}/{os.path.relpath(path, checked.folder)}")


class BuildError(Exception):
    """kustomize fails; the message is one line."""


def build(checked: Checked, edit: Callable[[dict[str, Any]], None]) -> str:
    """The objects that kustomize creates, each as a YAML document with its origin.

    `edit` changes the kustomization of the folder, or the empty one in its place. Raises
    BuildError; UserError if there is no kustomize.
    """
    kustomize = find(KUSTOMIZE, KUSTOMIZE_PUBLISHED)["kustomize"]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        for file in checked.files:
            copy = _below(root, file)
            copy.parent.mkdir(parents=True, exist_ok=True)
            kustomization = checked.kustomizations.get(file)
            if kustomization:
                data = plain(_without(kustomization.manifest.data, checked.cut[file]))
                data.pop("buildMetadata", None)
                if kustomization.folder == checked.folder:
                    _finish(data, edit)
                copy.write_text(json.dumps(data, default=str), encoding="utf-8")
            else:
                shutil.copyfile(file, copy)
        if checked.top is None:
            made: dict[str, Any] = {"resources": checked.generated}
            _finish(made, edit)
            top = _below(root, checked.folder / FILES[0])
            top.parent.mkdir(parents=True, exist_ok=True)
            top.write_text(json.dumps(made, default=str), encoding="utf-8")
        return _run([str(kustomize), "build", str(_below(root, checked.folder))], root)


def _finish(data: dict[str, Any], edit: Callable[[dict[str, Any]], None]) -> None:
    edit(data)
    data["buildMetadata"] = ["originAnnotations"]


def _below(root: Path, file: Path) -> Path:
    return root / file.relative_to(file.anchor)


def _run(command: Sequence[str], root: Path) -> str:
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NOWHERE)
    try:
        ended = subprocess.run(
            command,
            cwd=root,
            env={"PATH": "", "HOME": str(root), "TMPDIR": str(root), **proxies},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_WITHIN,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"took more than {_WITHIN} seconds") from None
    if ended.returncode:
        raise BuildError(_reason(ended.stderr, root))
    return ended.stdout


def _reason(errors: str, root: Path) -> str:
    """kustomize's error, without its quotes from files, and without the path of the copies."""
    text = errors.replace(str(root), "").partition("Error: ")[2] or errors
    text = _LEADING.sub("", _QUOTING.sub("", text))
    text = " ".join(text.split()).strip("'")
    return text if len(text) < _LONGEST else f"{text[:_LONGEST]}..."


def _without(data: Mapping[str, Any], locs: Sequence[Loc]) -> dict[str, Any]:
    """The kustomization without the key or list entry at each place."""
    gone = set(locs)
    return {
        key: tuple(each for index, each in enumerate(value) if (key, index) not in gone)
        if isinstance(value, tuple)
        else value
        for key, value in data.items()
        if (key,) not in gone
    }


def plain(data: Any) -> Any:
    """`data` with lists for tuples, to be changed and written."""
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    return [plain(value) for value in data] if isinstance(data, tuple) else data


def _objects_below(folder: Path) -> Iterator[Path]:
    """What Flux generates a kustomization from if it is missing: files, and folders with one."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.startswith("."):
            continue
        if path.is_dir():
            if kustomization_of(path):
                yield path
            else:
                yield from _objects_below(path)
        elif path.suffix in (".yaml", ".yml"):
            yield path
