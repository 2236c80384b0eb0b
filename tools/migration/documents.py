"""Reads files of manifests: several documents each, lists of objects, YAML within YAML."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specs.problem import WHOLE_FILE, Loc, Problem
from specs.source import Source
from tools.migration.import_findings import Findings
from tools.migration.places import (
    Overwrite,
    aligned,
    dig,
    same,
)
from tools.migration.value import Value

# A document begins or ends: in the first column, even within a text (YAML 1.2, 9.1.2).
_MARKER = re.compile(r"(---|\.\.\.)(?=\s|$)")
_CONTENT = re.compile(r"^[ \t]*[^\s#]", re.MULTILINE)
_BLOCK_TEXT = re.compile(r"\|[-+0-9]*[ \t]*(#.*)?$")

_FIRST_KEY = "apiVersion"

# On an object, prevents Flux from substituting `${NAME}`.
_SUBSTITUTE = "kustomize.toolkit.fluxcd.io/substitute"

# Where SOPS stores what it needs to decrypt a document.
SOPS = "sops"


@dataclass(frozen=True)
class Manifest:
    """A Kubernetes object: a document, or an item of a list (`at` is its place in the document).

    If kustomize or Flux changed the object, `data` is their result, and `changes` are the changes
    that may be responsible, the last one first.
    """

    source: Source
    at: Loc
    data: Mapping[str, Any]
    changes: Sequence[Overwrite] = ()
    # Whether Flux has substituted `${NAME}`, or is known not to.
    is_filled: bool = False

    @property
    def original(self) -> Any:
        """The object as in its file."""
        return dig(self.source.data, self.at)

    def place(self, loc: Loc) -> tuple[Source, Loc]:
        """Where the value at `loc` of the object is written."""
        original = self.original
        if original is self.data:
            return self.source, (*self.at, *loc)
        found, missing = aligned(original, self.data, loc)
        value = dig(self.data, loc)
        written, own = dig(original, found), not missing
        if own and (same(written, value) or isinstance(value, (Mapping, tuple))):
            return self.source, (*self.at, *found)
        for change in self.changes:
            if place := change.find(self.data, loc):
                return place
        return self.source, (*self.at, *found, *missing)

    def problem(self, loc: Loc, message: str, *, at_key: bool = False) -> Problem:
        """A problem at a place in the object."""
        source, at = self.place(loc)
        return source.problem(at, message, at_key=at_key)

    def value(self, loc: Loc, data: Any) -> Value:
        """`data`, which the file has at a place in the object."""
        source, at = self.place(loc)
        return Value(source, at, data)

    def values(self, loc: Loc) -> Value:
        """The value at `loc`, and each value in it at the place where it is written."""
        return self._values(loc, dig(self.data, loc))

    def _values(self, loc: Loc, data: Any) -> Value:
        if isinstance(data, Mapping):
            return self.value(loc, {k: self._values((*loc, k), v) for k, v in data.items()})
        if isinstance(data, tuple):
            return self.value(loc, [self._values((*loc, i), v) for i, v in enumerate(data)])
        return self.value(loc, data)

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return str(self.data.get("kind"))

    @property
    def group(self) -> str:
        """API group; "" is Kubernetes' core group."""
        group, slash, _ = str(self.data.get("apiVersion")).rpartition("/")
        return group if slash else ""

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.get("metadata", "name") or "")

    @property
    def title(self) -> str:
        """The object as messages name it."""
        return f"{self.kind} '{self.name}'"

    @property
    def substituted(self) -> bool:
        """Whether Flux may still substitute `${NAME}` in it."""
        if self.is_filled:
            return False
        places = (self.mapping("metadata", place) for place in ("annotations", "labels"))
        return all(place.get(_SUBSTITUTE) != "disabled" for place in places)

    def get(self, *loc: str) -> Any:
        """The value at `loc`; None if there is none."""
        found: Any = self.data
        for key in loc:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def mapping(self, *loc: str) -> Mapping[str, Any]:
        """The mapping at `loc`; an empty one if there is none."""
        found = self.get(*loc)
        return found if isinstance(found, Mapping) else {}

    def entries(self, *loc: str) -> tuple[Any, ...]:
        """The list at `loc`; an empty one if there is none."""
        found = self.get(*loc)
        return found if isinstance(found, tuple) else ()


def documents(file: Path, shown: str, findings: Findings) -> list[Source]:
    """The valid documents of a file; problems with the others are among the findings."""
    whole = Source(file, shown, _FIRST_KEY)
    parts = [part for part in split(whole.text) if _CONTENT.search(part)]
    if not parts and (whole.text or (file.is_file() and not file.stat().st_size)):
        return []  # only comments, or nothing
    one = whole.data is not None or len(parts) < 2
    sources = [whole] if one else [Source(file, shown, _FIRST_KEY, text=part) for part in parts]
    return [source for source in sources if _is_sound(source, findings)]


def manifests(source: Source, findings: Findings) -> list[Manifest]:
    """The objects of a document; none if it is not an object."""
    whole = Manifest(source, (), source.data)
    if "kind" not in source.data or "apiVersion" not in source.data:
        return []
    if not whole.kind.endswith("List") or "items" not in source.data:
        return [whole]
    found = []
    for index, item in enumerate(whole.entries("items")):
        if isinstance(item, dict) and "kind" in item:
            found.append(Manifest(source, ("items", index), item))
        else:
            message = "is not an object; add apiVersion and kind"
            findings.lost.append(source.problem(("items", index), message))
    return found


def inner_document(manifest: Manifest, loc: Loc, text: str) -> Source:
    """The YAML document in the text at `loc` of an object.

    Lines and columns are those of the file if the text is written as a block (`|`).
    """
    source, at = manifest.place(loc)
    start = source.problem(at, "")
    lines = source.text.split("\n")
    if _BLOCK_TEXT.match(lines[start.line - 1][start.column - 1 :].rstrip("\r")):
        length = text.count("\n") + 1
        block = ["\n" * (start.line - 1), *lines[start.line : start.line + length]]
        while block and not block[-1].strip():
            block.pop()
        inner = Source(source.file, source.shown, "app", text="\n".join(block))
        if inner.data is not None and inner.data == Source(source.file, "", text=text).data:
            return inner
    return Source(source.file, source.shown, "app", text="\n" * (start.line - 1) + text)


def note_other_name(
    manifest: Manifest, made: str, findings: Findings, *, is_lossy: bool = False
) -> None:
    """Note that the object stays behind if the program creates it under another name.

    One that `is_lossy` contains something that the program does not create: the note must not
    suggest deleting it.
    """
    if manifest.name != made:
        message = f"'{made}' replaces it; once that exists, this one can be deleted"
        if is_lossy:
            message = (
                f"'{made}' replaces only part of it; keep this one in the cluster until the "
                "rest is created by other means"
            )
        findings.note(manifest.problem(("metadata", "name"), message))


def split(text: str) -> Iterator[str]:
    """The documents, each with empty lines in place of what precedes it."""
    part: list[str] = []
    for number, line in enumerate(text.split("\n")):
        marker = _MARKER.match(line)
        if marker:
            yield "\n".join(part)
            part = [""] * number
            line = "   " + line[3:]
        elif line.startswith("%") and not _CONTENT.search("\n".join(part)):
            line = ""  # a directive
        part.append(line)
    yield "\n".join(part)


def _is_sound(source: Source, findings: Findings) -> bool:
    if source.problems:
        template = _template(source)
        findings.lost += [template] if template else source.problems
        return False
    if isinstance(source.data.get(SOPS), dict):
        message = (
            "the document is encrypted by SOPS; store its values in OpenBao and name it by "
            "secretRef"
        )
        findings.lost.append(source.problem((SOPS,), message, at_key=True))
        return False
    return True


def _template(source: Source) -> Problem | None:
    """For a Helm template, one problem about everything that makes it invalid YAML."""
    start = source.text.find("{{")
    if start < 0:
        return None
    line, column = source.text.count("\n", 0, start) + 1, start - source.text.rfind("\n", 0, start)
    message = "is a Helm template, not YAML; import its output (`helm template`)"
    return Problem(source.shown, line, column, WHOLE_FILE, message)
