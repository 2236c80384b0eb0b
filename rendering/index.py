"""What `.sre-render` says of each rendered object beside its document: owner, name, protection."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.recording import SECRET, Registration


def owner(made: Registration) -> tuple[str, str]:
    """The team and the app that a resource is made for; "" for the platform, and for no app."""
    _, _, types, name = made.request.parent.split("::", 3)
    if types.endswith("sre:platform:App"):
        team, _, app = name.partition("/")
        return team, app
    return (name, "") if types.endswith("sre:platform:Tenant") else ("", "")


def index(objects: Mapping[str, Registration], others: Sequence[Registration]) -> str:
    """JSON: `objects` by the path of their document; of what has none `providers` by name, without
    credentials, and `others` by type and name.

    The same input gives the same bytes.
    """
    providers = {one.name: _settings(one) for one in others if _is_provider(one)}
    rest = {f"{one.type} {one.name}": _settings(one) for one in others if not _is_provider(one)}
    content = {
        "objects": {path: _object(made) for path, made in objects.items()},
        "providers": providers,
        **({"others": rest} if rest else {}),
    }
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def _object(made: Registration) -> dict[str, Any]:
    team, app = owner(made)
    request = made.request
    # What else Pulumi finds it by in a state: with an alias, a new name makes no new object.
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
