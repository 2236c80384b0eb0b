"""OpenBao objects on a server, created as the official provider creates them."""

import json
import re
import threading
import time
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from clients.http import RefusedError
from clients.openbao import OpenBao
from sandbox.answers import reporting
from sandbox.package import Existing, Properties, ServerError
from sandbox.simulated_openbao import (
    AUTH,
    AUTH_CONFIG,
    GROUP,
    GROUP_ALIAS,
    MOUNT,
    POLICY,
    ROLE,
    SECRET,
    path_of,
    placed_at,
    word,
)

MOVED_WITHIN = 30  # seconds
READY_WITHIN = 60  # seconds
_SERVER = "OpenBao"
capital = re.compile("[A-Z]")

# The inputs that define an object; those in PLACED_BY define its place.
CONTENT = {
    MOUNT: ("type", "description"),
    AUTH: ("type", "description"),
    POLICY: ("policy",),
    ROLE: (
        "boundServiceAccountNames",
        "boundServiceAccountNamespaces",
        "audience",
        "tokenPolicies",
        "tokenTtl",
        "tokenMaxTtl",
    ),
    AUTH_CONFIG: ("kubernetesHost", "kubernetesCaCert", "tokenReviewerJwt", "disableLocalCaJwt"),
    SECRET: ("dataJson",),
    GROUP: ("name", "type", "policies"),
    GROUP_ALIAS: ("name", "mountAccessor", "canonicalId"),
}
PLACED_BY = {
    MOUNT: ("path",),
    AUTH: ("path",),
    POLICY: ("name",),
    ROLE: ("backend", "roleName"),
    AUTH_CONFIG: ("backend",),
    SECRET: ("mount", "name"),
}


class RealOpenBao:
    """The objects of an OpenBao, for the kinds that the program creates."""

    def __init__(self, openbao: OpenBao, cancelled: threading.Event) -> None:
        """`cancelled`: no longer wait for anything."""
        self._openbao = openbao
        self._cancelled = cancelled

    def preview(self, kind: str, inputs: Properties, old: Existing | None) -> Properties:
        _check(kind, inputs)
        if old is None and kind in (MOUNT, AUTH) and UNKNOWN not in inputs.values():
            self.left_behind(kind, inputs)
        return inputs

    def create(self, kind: str, inputs: Properties) -> tuple[str, Properties]:
        _check(kind, inputs)
        path = path_of(kind, inputs)
        # OpenBao makes up a group's ID: without it, nothing can be recorded.
        left = Existing(path, inputs, inputs) if path and kind in PLACED_BY else None
        id = self.left_behind(kind, inputs)
        with reporting(_what(kind, inputs), _SERVER, left):
            if id is None or kind not in (MOUNT, AUTH, GROUP_ALIAS):
                id = self._write_new(kind, inputs)
            return id, self._outputs(kind, id, inputs)

    def update(self, kind: str, old: Existing, inputs: Properties) -> Properties:
        _check(kind, inputs)
        with reporting(_what(kind, inputs), _SERVER, Existing(old.id, inputs, old.outputs)):
            if kind in (MOUNT, AUTH):
                self._move(kind, old.inputs, inputs)
                self._put(f"{_url(kind, old.id, inputs)}/tune", _body(kind, inputs, old.inputs))
            else:
                self._write(kind, _url(kind, old.id, inputs), _body(kind, inputs, old.inputs))
            return self._outputs(kind, old.id, inputs)

    def read(self, kind: str, old: Existing) -> Existing | None:
        if not old.inputs:
            return self._imported(kind, old.id)
        if old.inputs.get("disableRead"):
            return old
        with reporting(_what(kind, old.inputs), _SERVER):
            live = self._get(kind, old.id, old.inputs)
        if live is None:
            return None
        seen = _seen(kind, live, old.inputs)
        inputs = {
            name: value if name not in seen or _same(value, seen[name]) else seen[name]
            for name, value in old.inputs.items()
        }
        return Existing(old.id, inputs, {**old.outputs, **inputs, **_computed(kind, inputs, live)})

    def _imported(self, kind: str, id: str) -> Existing | None:
        """By its path alone, with what OpenBao shows of it; empty values are left out."""
        placed = placed_at(kind, id)
        with reporting(_what(kind, placed), _SERVER):
            live = self._get(kind, id, placed)
        if live is None:
            return None
        inputs = {**placed, **{k: v for k, v in _seen(kind, live, placed).items() if v}}
        if kind == MOUNT and live.get("options"):
            inputs["options"] = live["options"]
        return Existing(id, inputs, {**inputs, **_computed(kind, inputs, live)})

    def delete(self, kind: str, old: Existing) -> None:
        if kind == AUTH_CONFIG:
            return  # it is deleted with its mount; there is no other way
        with reporting(_what(kind, old.inputs), _SERVER):
            url = _url(kind, old.id, old.inputs)
            if kind == SECRET and old.inputs.get("deleteAllVersions"):
                url = url.replace("/data/", "/metadata/", 1)
            self._openbao.call("DELETE", url)

    def left_behind(self, kind: str, inputs: Properties) -> str | None:
        """The ID of the object that an interrupted creation left, if it did.

        Raises ServerError, also for a mount that belongs to someone else.
        """
        with reporting(_what(kind, inputs), _SERVER):
            return self._existing(kind, inputs)

    def _existing(self, kind: str, inputs: Properties) -> str | None:
        if kind == GROUP:
            group = self._openbao.read(f"identity/group/name/{inputs['name']}")
            return group["id"] if group else None
        if kind == GROUP_ALIAS:
            group = self._openbao.read(f"identity/group/id/{inputs['canonicalId']}")
            alias = (group or {}).get("alias") or {}
            same = all(alias.get(_snake(name)) == inputs[name] for name in CONTENT[kind])
            return alias["id"] if same else None
        path = path_of(kind, inputs)
        assert path is not None  # known, because the inputs are
        live = self._get(kind, path, inputs)
        if live is None:
            return None
        if kind in (MOUNT, AUTH):
            seen = _seen(kind, live, inputs)
            if any(inputs.get(name, "") != seen[name] for name in CONTENT[kind]):
                raise ServerError(
                    f"{_what(kind, inputs)} already exists, with another type or description; this "
                    "stack did not create it; move it, or take it over: sre-platform:adopt in the "
                    "stack's config"
                )
        return path

    def _get(self, kind: str, id: str, inputs: Properties) -> dict[str, Any] | None:
        if kind in (MOUNT, AUTH):  # a request for a single missing mount is a bad request
            listed = self._openbao.read("sys/mounts" if kind == MOUNT else "sys/auth")
            return (listed or {}).get(f"{path_of(kind, inputs)}/")
        return self._openbao.read(_url(kind, id, inputs))

    def _write_new(self, kind: str, inputs: Properties) -> str:
        body = _body(kind, inputs, {})
        if kind == GROUP:
            self._put(f"identity/group/name/{inputs['name']}", body)
            group = self._openbao.read(f"identity/group/name/{inputs['name']}")
            assert group is not None  # just written
            return str(group["id"])
        if kind == GROUP_ALIAS:
            return str(self._put("identity/group-alias", body)["data"]["id"])
        path = path_of(kind, inputs)
        assert path is not None
        try:
            self._write(kind, _url(kind, path, inputs), body)
        except RefusedError:
            # The request was repeated because the answer got lost: this program's own mount is in
            # the way.
            if kind not in (MOUNT, AUTH) or self._existing(kind, inputs) is None:
                raise
        if kind == MOUNT and inputs.get("type") == "kv-v2":
            self._await_versions(path)
        return path

    def _await_versions(self, mount: str) -> None:
        """A new kv-v2 mount is prepared in the background, and refuses all requests until then."""
        deadline = time.monotonic() + READY_WITHIN
        while True:
            try:
                self._openbao.call("GET", f"{mount}/config")
            except RefusedError as refusal:
                if refusal.status != 400 or time.monotonic() > deadline:
                    raise
            else:
                return
            if self._cancelled.wait(0.1):
                raise ServerError(f"Mount {mount} is not ready yet")

    def _write(self, kind: str, url: str, body: Properties) -> None:
        if kind == SECRET and (self._openbao.read(url) or {}).get("data") == body["data"]:
            return  # a repeated write creates no second version
        self._put(url, body)

    def _put(self, url: str, body: Properties) -> Any:
        # Normally a POST; but a PUT may be repeated if the answer got lost.
        return self._openbao.call("PUT", url, body)

    def _move(self, kind: str, old: Properties, new: Properties) -> None:
        """Moving a mount moves its content."""
        before, after = path_of(kind, old), path_of(kind, new)
        if before == after:
            return
        prefix = "auth/" if kind == AUTH else ""
        answer = self._put("sys/remount", {"from": f"{prefix}{before}", "to": f"{prefix}{after}"})
        url = f"sys/remount/status/{answer['data']['migration_id']}"
        deadline = time.monotonic() + MOVED_WITHIN
        while (status := self._openbao.read(url)) and (
            status["migration_info"]["status"] == "in-progress"
        ):
            if time.monotonic() > deadline or self._cancelled.wait(0.2):
                raise ServerError(f"{_what(kind, old)} is still being moved to {after}")
        if not status or status["migration_info"]["status"] != "success":
            raise ServerError(f"{_what(kind, old)} could not be moved to {after}; see its log")

    def _outputs(self, kind: str, id: str, inputs: Properties) -> Properties:
        live = self._get(kind, id, inputs)
        if live is None:
            raise ServerError(f"{_what(kind, inputs)}: was deleted by someone else")
        return {**inputs, **_computed(kind, inputs, live)}


def _check(kind: str, inputs: Properties) -> None:
    """Raise ServerError for values that would be lost on the way to OpenBao."""
    if kind not in CONTENT:
        raise ServerError(f"{word(kind)}: the sandbox cannot create one on a real server")
    taken = {*CONTENT[kind], *PLACED_BY.get(kind, ()), "deleteAllVersions", "disableRead"}
    if kind == MOUNT:
        taken.add("options")  # from an import; they never change
    if lost := sorted(inputs.keys() - taken):
        raise ServerError(f"{_what(kind, inputs)}: the sandbox does not pass on {', '.join(lost)}")


def _what(kind: str, inputs: Properties) -> str:
    return f"{word(kind)} {path_of(kind, inputs) or ''}".rstrip()


def _url(kind: str, id: str, inputs: Properties) -> str:
    """The object's URL in OpenBao's API. The ID of a mount that was moved is its first path."""
    path = path_of(kind, inputs)
    return {
        MOUNT: f"sys/mounts/{path}",
        AUTH: f"sys/auth/{path}",
        POLICY: f"sys/policies/acl/{path}",
        GROUP: f"identity/group/id/{id}",
        GROUP_ALIAS: f"identity/group-alias/id/{id}",
    }.get(kind, str(path))


def _body(kind: str, inputs: Properties, old: Properties) -> Properties:
    """The body to write; removed inputs are sent empty, because omitting them changes nothing."""
    if kind == SECRET:
        return {"data": json.loads(inputs["dataJson"])}
    names = [name for name in CONTENT[kind] if name != "type" or not old]  # types never change
    given = {_snake(name): inputs[name] for name in names if name in inputs}
    emptied = {_snake(n): type(old[n])() for n in names if n in old and n not in inputs}
    return {**emptied, **given}


def _seen(kind: str, live: dict[str, Any], inputs: Properties) -> Properties:
    """The live object in terms of its inputs; without values that OpenBao never shows."""
    if kind == SECRET:
        return {"dataJson": json.dumps(live["data"])}
    seen = {name: live[_snake(name)] for name in CONTENT[kind] if _snake(name) in live}
    versioned = (live.get("options") or {}).get("version") == "2"
    if kind == MOUNT and versioned and inputs.get("type") == "kv-v2":
        seen["type"] = "kv-v2"
    return seen


def _same(old: object, new: object) -> bool:
    """OpenBao has its own order of names, and its own layout of JSON."""
    if isinstance(old, list) and isinstance(new, list):
        return sorted(map(str, old)) == sorted(map(str, new))
    if isinstance(old, str) and isinstance(new, str) and old.startswith("{"):
        return bool(json.loads(old) == json.loads(new))
    return old == new


def _computed(kind: str, inputs: Properties, live: dict[str, Any]) -> Properties:
    if kind in (MOUNT, AUTH):
        return {"accessor": live["accessor"]}
    if kind == SECRET:
        metadata = {k: v for k, v in live["metadata"].items() if v is not None}
        return {
            "path": path_of(kind, inputs),
            "data": _texts(live["data"]),
            "metadata": _texts(metadata),
        }
    return {}


def _texts(values: dict[str, Any]) -> Properties:
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}


def _snake(name: str) -> str:
    return capital.sub(lambda match: f"_{match[0].lower()}", name)
