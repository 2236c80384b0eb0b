"""The stand-in for OpenBao."""

import json
import re
import secrets
import uuid
from datetime import UTC, datetime

from pulumi.runtime.rpc import UNKNOWN

from sandbox.package import (
    InputProblem,
    Properties,
    ServerError,
    known,
    registered_types,
)
from sandbox.world import World, WorldKey

MOUNT = "index/mount:Mount"
AUTH = "index/authBackend:AuthBackend"
POLICY = "index/policy:Policy"
ROLE = "kubernetes/authBackendRole:AuthBackendRole"
AUTH_CONFIG = "kubernetes/authBackendConfig:AuthBackendConfig"
SECRET = "kv/secretV2:SecretV2"
GROUP = "identity/group:Group"
GROUP_ALIAS = "identity/groupAlias:GroupAlias"

# The property that names each kind. OpenBao itself names no object.
NAMED_BY = {
    MOUNT: "path",
    AUTH: "type",
    POLICY: "name",
    ROLE: "roleName",
    SECRET: "name",
    GROUP: "name",
    GROUP_ALIAS: "name",
}
# A mount's path is not among them: OpenBao can move a mount, and the provider uses that.
REPLACED_BY = {
    MOUNT: ("type",),
    AUTH: ("type",),
    POLICY: ("name",),
    ROLE: ("backend", "roleName"),
    AUTH_CONFIG: ("backend",),
    SECRET: ("mount", "name"),
    GROUP: ("type",),
}


class SimulatedOpenBao:
    """An OpenBao that is empty except for what Pulumi puts there."""

    def __init__(self) -> None:
        self._types = registered_types("pulumi_vault", "vault")

    def knows(self, kind: str) -> bool:
        return kind in self._types

    def problems(self, kind: str, inputs: Properties) -> list[InputProblem]:
        problems = []
        named_by = NAMED_BY.get(kind)
        if named_by and not inputs.get(named_by):
            problems.append(InputProblem(named_by, "missing; every object has an explicit name"))
        data = known(inputs.get("dataJson"))
        if kind == SECRET and data is not None and _document(data) is None:
            problems.append(InputProblem("", "dataJson: not a JSON object"))
        return problems

    def key(self, kind: str, inputs: Properties) -> WorldKey | None:
        path = path_of(kind, inputs)
        return WorldKey(word(kind), path) if path else None

    def container(self, kind: str, inputs: Properties, world: World) -> WorldKey | None:
        if kind == SECRET and (mount := known(inputs.get("mount"))):
            return WorldKey(word(MOUNT), mount.strip("/"))
        if kind in (ROLE, AUTH_CONFIG):
            backend = known(inputs.get("backend", "kubernetes"))
            return WorldKey(word(AUTH), backend.strip("/")) if backend else None
        if kind == GROUP_ALIAS and (group := known(inputs.get("canonicalId"))):
            return world.find(word(GROUP), group)
        return None

    def replaced_by(self, kind: str) -> tuple[str, ...]:
        return REPLACED_BY.get(kind, ())

    def create(self, kind: str, inputs: Properties, world: World) -> tuple[str, Properties]:
        outputs = {**inputs, **_derived(kind, inputs, version=1)}
        if kind in (MOUNT, AUTH):
            outputs["accessor"] = f"{inputs['type']}_{secrets.token_hex(4)}"
        if kind in (GROUP, GROUP_ALIAS):
            return str(uuid.uuid4()), outputs
        return path_of(kind, inputs) or str(uuid.uuid4()), outputs

    def update(self, kind: str, old: Properties, inputs: Properties) -> Properties:
        outputs = {**inputs, **_derived(kind, inputs, version=_version(old) + 1)}
        if "accessor" in old:
            outputs["accessor"] = old["accessor"]
        return outputs


def word(kind: str) -> str:
    """The users' name for it: "OpenBao Mount"."""
    return "OpenBao " + kind.rpartition(":")[2]


def path_of(kind: str, inputs: Properties) -> str | None:
    """An object's path in OpenBao's API, which is also the provider's ID for it."""
    name = known(inputs.get(NAMED_BY.get(kind, "name")))
    backend = known(inputs.get("backend", "kubernetes"))
    mount = known(inputs.get("mount"))
    if kind == AUTH and "path" in inputs:
        name = known(inputs["path"])
    if kind == AUTH_CONFIG:
        return f"auth/{backend.strip('/')}/config" if backend else None
    if not name:
        return None
    if kind == ROLE:
        return f"auth/{backend.strip('/')}/role/{name}" if backend else None
    if kind == SECRET:
        return f"{mount.strip('/')}/data/{name}" if mount else None
    return name.strip("/")


def placed_at(kind: str, path: str) -> Properties:
    """The inputs that define an object's place, by its path. ServerError for other kinds."""
    if kind in (MOUNT, AUTH):
        return {"path": path}
    if kind == POLICY:
        return {"name": path}
    match = re.fullmatch(r"auth/(.+?)/(?:role/(.+)|config)", path)
    if match is None:
        raise ServerError(f"{word(kind)} {path}: the sandbox cannot import one")
    return {"backend": match[1], **({"roleName": match[2]} if match[2] else {})}


def _derived(kind: str, inputs: Properties, version: int) -> Properties:
    """What OpenBao derives from a secret's inputs, as far as a preview knows them."""
    text = inputs.get("dataJson", "{}")
    if kind != SECRET or text == UNKNOWN:
        return {}
    document = _document(text) or {}
    return {
        "path": path_of(kind, inputs),
        "data": {k: v if isinstance(v, str) else json.dumps(v) for k, v in document.items()},
        "metadata": {
            "created_time": datetime.now(UTC).isoformat(),
            "deletion_time": "",
            "destroyed": "false",
            "version": str(version),
        },
    }


def _version(secret: Properties) -> int:
    return int((secret.get("metadata") or {}).get("version", 0))


def _document(text: str) -> Properties | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
