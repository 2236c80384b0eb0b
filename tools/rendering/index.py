"""What `.sre-render` records about each rendered object: owner, name, protection."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dryrun.recording import SECRET, Registration


def owner(made: Registration) -> tuple[str, str]:
    """The team and the app of a resource; "" for the platform, and for no app."""
    _, _, types, name = made.request.parent.split("::", 3)
    if types.endswith("sre:platform:App"):
        team, _, app = name.partition("/")
        return team, app
    return (name, "") if types.endswith("sre:platform:Tenant") else ("", "")


@dataclass
class Index:
    """`objects` by the path of their document.

    Without a document: `providers` by name, without credentials, and `others` by type and name.
    """

    objects: dict[str, Any] = field(default_factory=dict)
    providers: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)

    def add(self, part: "Index") -> None:
        """Add what another run of the program has created."""
        self.objects |= part.objects
        self.providers |= part.providers
        self.others |= part.others

    def text(self) -> str:
        """As JSON; the same content gives the same bytes."""
        content = {"objects": self.objects, "providers": self.providers}
        if self.others:
            content["others"] = self.others
        return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def index(objects: Mapping[str, Registration], others: Iterable[Registration]) -> Index:
    """The index of `objects`, by the path of their document, and of those without one."""
    found = Index({path: _object(made) for path, made in objects.items()})
    for one in others:
        if _is_provider(one):
            found.providers[one.name] = _settings(one)
        else:
            found.others[f"{one.type} {one.name}"] = _settings(one)
    return found


def _object(made: Registration) -> dict[str, Any]:
    team, app = owner(made)
    request = made.request
    # Other names by which Pulumi finds it in a state: with an alias, a new name makes no new
    # object.
    aliases = [alias.spec for alias in request.aliases if alias.HasField("spec")]
    options = {
        "ignoreChanges": sorted(request.ignoreChanges),
        "retainOnDelete": request.retainOnDelete,
        "secretOutputs": sorted(request.additionalSecretOutputs),
    }
    return {
        "type": made.type,
        "logicalName": made.name,
        "aliases": sorted({name for spec in aliases for name in (spec.type, spec.name) if name}),
        "team": team,
        "app": app,
        "options": {
            "protect": request.protect,
            **{name: value for name, value in options.items() if value},
        },
    }


def _is_provider(made: Registration) -> bool:
    return made.type.startswith("pulumi:providers:")


def _settings(made: Registration) -> dict[str, Any]:
    return {key: value for key, value in made.inputs.items() if value != SECRET}
