"""`make docs`: writes docs/reference.md, with every key of a team's file and a stack's config."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from plain.table import markdown
from specs.app import CronJob, WebApp, Worker
from specs.base import Duration, Quantity
from specs.network import LabelSelector, NetworkPolicyPeer, NetworkPolicyPort
from specs.probes import ExecAction, GrpcAction, TcpAction
from specs.settings import Settings, StackSettings
from specs.team import Team

PAGE = Path(__file__).parent.parent / "docs" / "reference.md"

_ARCHETYPES = (WebApp, Worker, CronJob)

# Described once, under a separate title, because each appears in several places.
_SHARED: dict[type[BaseModel], str] = {
    NetworkPolicyPeer: "peer",
    NetworkPolicyPort: "port",
    LabelSelector: "selector",
    TcpAction: "tcp",
    GrpcAction: "grpc",
    ExecAction: "exec",
}

# Blocks so large that each block within them gets its own section; "" is a whole file.
_LARGE = ("apps[].app.", "apps[].", "")

_WORDS = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    date: "date",
    Quantity: "quantity",
}

_TEAM = """\
# Every key

Generated from the models by `make docs`; edit the models, not this page.

- [A team's file](#a-teams-file), `tenants/<team>.yaml`: what a team writes.
- [A stack's config](#a-stacks-config), `Pulumi.<stack>.yaml`: what differs between stacks.
- [A cluster's file](#a-clusters-file), `clusters/<cluster>.yaml`: what its stacks have in common.

A path is written as in error messages, with `[]` for each entry of a list. A quantity is a
Kubernetes quantity: CPU in cores (`500m` is half a core), memory in bytes (`128Mi`). A duration is
a Prometheus duration (`30s`, `10m`, `1h`). Keys that are not listed are errors.

## A team's file
"""

_STACK = """\
## A stack's config

Under `config` in `Pulumi.<stack>.yaml`; keys with other prefixes are ignored.
"""

_CLUSTER = """\
## A cluster's file

`clusters/<cluster>.yaml` applies to each stack with `sre-platform:cluster: <cluster>`. Its keys are
those of a stack's config without the prefix `sre-platform:`, except for
{own}, which each stack sets itself.

What a stack sets itself wins: mappings are merged key by key, at every depth; any other value,
lists included, replaces the cluster's. `./sre diff` reports settings with which a stack replaces
its cluster's. Without `sre-platform:cluster`, a stack has only its own settings.
"""


@dataclass(frozen=True)
class ReferenceKey:
    """A key as the page shows it.

    `path` starts at the root of the file, or at the title of a shared block. `entry` is the path of
    the key's content: for a list, of its entries. `shared` is the title of the shared block that it
    contains, if any.
    """

    path: str
    entry: str
    type: str
    default: str
    meaning: str
    shared: str | None = None
    archetypes: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """Path of the block under which the page lists it."""
        large = next(prefix for prefix in _LARGE if self.path.startswith(prefix))
        block, dot, _ = self.path.removeprefix(large).partition(".")
        return large + block if dot else large.removesuffix(".")


def team_keys() -> list[ReferenceKey]:
    """Every key of a team's file once, in the file's order; then the keys of the shared blocks."""
    return _merged([*_keys(Team, ""), *_shared_keys()])


def reference() -> str:
    """The page."""
    settings = list(_keys(Settings, ""))
    own = [_code(key.path) for key in _keys(StackSettings, "")]
    cluster = _CLUSTER.format(own=f"{', '.join(own[:-1])} and {own[-1]}")
    return "\n".join([_TEAM, *_part(team_keys()), _STACK, *_part(settings), cluster])


def main() -> int:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(reference(), encoding="utf-8")
    return 0


def _keys(
    model: type[BaseModel], base: str, archetypes: tuple[str, ...] = ()
) -> Iterator[ReferenceKey]:
    """The keys of a model and of all models within it."""
    types = get_type_hints(model, include_extras=True)
    if "archetype" in model.model_fields:
        archetypes = get_args(types["archetype"])
    for name, field in model.model_fields.items():
        path = f"{base}{field.alias}"
        models = list(_models(types[name]))
        entry = f"{path}[]" if _is_list(types[name]) else path
        shared = next((_SHARED[each] for each in models if each in _SHARED), None)
        yield ReferenceKey(
            path,
            entry,
            "one of the three above" if name == "archetype" else _type(types[name], shared),
            _default(field),
            _meaning(field),
            shared,
            archetypes,
        )
        for each in models:
            if each not in _SHARED:
                yield from _keys(each, f"{entry}.", archetypes)


def _shared_keys() -> Iterator[ReferenceKey]:
    for model, title in _SHARED.items():
        yield from _keys(model, f"{title}.")


def _merged(keys: Iterable[ReferenceKey]) -> list[ReferenceKey]:
    """Keys that archetypes have in common become one; each follows the key that contains it."""
    archetypes: dict[ReferenceKey, tuple[str, ...]] = {}
    order: dict[str, int] = {}
    for key in keys:
        plain = replace(key, archetypes=())
        archetypes[plain] = archetypes.get(plain, ()) + key.archetypes
        order.setdefault(key.path, len(order))

    def place(key: ReferenceKey) -> list[int]:
        steps = accumulate(key.path.split("."), "{}.{}".format)
        return [order.get(step.removesuffix("[]"), len(order)) for step in steps]

    return sorted((replace(key, archetypes=who) for key, who in archetypes.items()), key=place)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type such as `tuple[Model, ...]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _models(get_args(annotation)[0])
    elif get_origin(annotation) in (tuple, Union, UnionType):
        for argument in get_args(annotation):
            yield from _models(argument)


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_origin(annotation) is tuple


def _type(annotation: Any, shared: str | None) -> str:
    """The type in a user's words; `shared` is the title of the block within it, if any."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation == Duration:
        return "duration"
    if origin is Annotated:
        return _type(arguments[0], shared)
    if origin in (Union, UnionType):
        types = (_type(each, shared) for each in arguments if each is not type(None))
        return " or ".join(dict.fromkeys(types))
    if origin is Literal:
        choices = [_code(choice) for choice in arguments]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if origin is tuple:
        return f"list of {_type(arguments[0], shared)}"
    if origin is dict:
        return "`key: value` pairs"
    if issubclass(annotation, BaseModel):
        return f"[{shared}](#{shared})" if shared else "keys"
    return _WORDS[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return _code(str(value).lower())
    if isinstance(value, int | str | Quantity):
        return _code(str(value)) if str(value) else ""
    if isinstance(value, tuple) and value:
        return _code(f"[{', '.join(value)}]")
    return ""


def _meaning(field: FieldInfo) -> str:
    example = f" Example: {_code(f'{field.alias}: {field.examples[0]}')}" if field.examples else ""
    return f"{field.description}{example}"


def _part(keys: Sequence[ReferenceKey]) -> Iterator[str]:
    """The keys of one kind of file: those of its top level, then a section for each block."""
    yield from _table(keys, "")
    for section in dict.fromkeys(key.section for key in keys if key.section):
        yield f"### {_code(section)}\n"
        yield f"{_about(keys, section)}\n"
        yield from _table(keys, section)


def _about(keys: Sequence[ReferenceKey], section: str) -> str:
    """What a section is about, and its archetypes if it does not apply to all."""
    if section == "apps[]":
        kinds = (
            f"- {_code(get_args(kind.model_fields['archetype'].annotation)[0])}: {kind.__doc__}"
            for kind in _ARCHETYPES
        )
        return "\n".join(["Each app has one archetype:\n", *kinds])
    for model, title in _SHARED.items():
        if section == title:
            places = (_code(key.entry) for key in keys if key.shared == title)
            return f"{model.__doc__} Used in {', '.join(dict.fromkeys(places))}."
    own = [key for key in keys if key.entry == section]
    archetypes = tuple(name for key in own for name in key.archetypes)
    only = f" Archetypes: {', '.join(archetypes)}." if _is_some(archetypes) else ""
    return " ".join(key.meaning for key in own) + only


def _is_some(archetypes: tuple[str, ...]) -> bool:
    return 0 < len(archetypes) < len(_ARCHETYPES)


def _table(keys: Iterable[ReferenceKey], section: str) -> Iterator[str]:
    """The section's keys, with a column for archetypes if they differ within the section."""
    rows = [key for key in keys if key.section == section]
    differ = len({key.archetypes for key in rows}) > 1
    heads = ["Key", "Type", "Default", *(["Archetypes"] if differ else []), "Meaning"]
    lines = [heads]
    blocks = {key.section for key in keys}
    for key in rows:
        below = key.entry in blocks
        kind = key.type.replace("keys", f"[keys](#{_anchor(key.entry)})") if below else key.type
        who = ", ".join(key.archetypes) if _is_some(key.archetypes) else "all"
        lines.append([_code(key.path), kind, key.default, *([who] if differ else []), key.meaning])
    yield from markdown(lines)
    yield ""


def _anchor(heading: str) -> str:
    """As GitHub builds it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _code(text: str) -> str:
    return f"`{text}`"


if __name__ == "__main__":
    sys.exit(main())
