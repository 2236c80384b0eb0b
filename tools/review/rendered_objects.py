"""Rendered objects, read back: kind, owner and fields of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import yaml

from specs.labels import INSTANCE, TEAM_LABEL
from tools.rendering.documents import as_json
from tools.rendering.index import Index
from tools.rendering.render import MARKER

# libyaml's parser: a side of a fleet has thousands of documents.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The key of a resource's Pulumi options among its fields.
OPTIONS = "options"

PROVIDER = "Provider"


@dataclass(frozen=True)
class RenderedObject:
    """One object. `team` and `app` are "" for the platform, and for objects that belong to no app.

    `key` is its identity on both sides; `fields` are its document, or its properties for Harbor's
    and OpenBao's objects, with Pulumi's options if known. `type`, `logical_name` and `aliases`
    identify it in Pulumi's state: "" and () if unknown.
    """

    key: str
    kind: str
    name: str
    fields: Mapping[str, Any]
    team: str = ""
    app: str = ""
    type: str = ""
    logical_name: str = ""
    aliases: tuple[str, ...] = ()

    def get(self, path: str, otherwise: Any = None) -> Any:
        """The value at a path of plain keys, such as `spec.hard`."""
        value: Any = self.fields
        for step in path.split("."):
            if not isinstance(value, Mapping) or step not in value:
                return otherwise
            value = value[step]
        return value

    @property
    def shown(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}"

    @property
    def place(self) -> str:
        """The object's namespace, or team."""
        return self.key.split("/")[1]


@dataclass(frozen=True)
class Side:
    """All objects of one side of a change, by key.

    `indexed`: whether the side has Pulumi's options; an older revision's render does not.
    """

    objects: Mapping[str, RenderedObject] = field(default_factory=dict)
    indexed: bool = True

    def of(self, *kinds: str) -> list[RenderedObject]:
        """Those of some kinds."""
        return [each for each in self.objects.values() if each.kind in kinds]

    @property
    def teams(self) -> set[str]:
        """Names of the teams that have objects."""
        return {each.team for each in self.objects.values()} - {""}


def read_side(folder: Path) -> Side:
    """The output of `./sre render` in `folder`."""
    return side_of(*rendered_files(folder))


def rendered_files(folder: Path) -> tuple[Index | None, dict[str, str]]:
    """The index of `./sre render` in `folder`, and its documents by path, as JSON."""
    documents = {
        file.relative_to(folder).as_posix(): as_json(yaml.load(file.read_bytes(), Loader=_LOADER))
        for file in sorted(folder.rglob("*.yaml"))
    }
    text = (folder / MARKER).read_bytes()
    if not text.strip():
        return None, documents
    known = json.loads(text)  # another revision's may have more, or lack `others`
    return Index(known["objects"], known["providers"], known.get("others", {})), documents


def side_of(index: Index | None, documents: Mapping[str, str]) -> Side:
    """The side with these documents, as JSON, and their index; older revisions have none."""
    known = index or Index()
    objects = [_object(path, text, known.objects) for path, text in sorted(documents.items())]
    objects += [
        RenderedObject(f"providers/{name}", PROVIDER, name, inputs)
        for name, inputs in known.providers.items()
    ]
    for name, inputs in known.others.items():
        kind, _, logical = name.partition(" ")
        objects.append(RenderedObject(f"others/{name}", kind, logical, inputs))
    return Side({each.key: each for each in objects}, indexed=index is not None)


@cache
def _parsed(text: str) -> Any:
    """A document; most are the same on both sides of a change.

    A process reviews one stack, and the objects of its two sides hold what is kept here.
    """
    return json.loads(text)


def _object(path: str, text: str, known: Mapping[str, Any]) -> RenderedObject:
    document = _parsed(text)
    about = known.get(path, {})
    kind = path.rpartition("/")[2].partition("-")[0]
    if path.startswith("kubernetes/"):
        metadata = document["metadata"]
        labels = metadata.get("labels") or {}
        name, fields = metadata["name"], document
        team, app = labels.get(TEAM_LABEL, ""), labels.get(INSTANCE, "")
    else:
        name = PurePath(path).stem.partition("-")[2]
        fields = document["properties"]
        place = path.split("/")[1]
        team, app = "" if place == "_platform" else place, ""
    if OPTIONS in about:
        fields = {**fields, OPTIONS: about[OPTIONS]}
    return RenderedObject(
        path.removesuffix(".yaml"),
        kind,
        name,
        fields,
        about.get("team", team),
        about.get("app", app),
        about.get("type", ""),
        about.get("logicalName", ""),
        tuple(about.get("aliases", ())),
    )
