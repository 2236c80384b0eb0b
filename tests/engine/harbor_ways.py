"""`make`'s commands with a Harbor that has the ways of the real one and of its provider.

`python -m tests.engine.harbor_ways COMMAND`, in a checkout that has been copied without tests. What
this Harbor holds is in `.sandbox/harbor.json` there, and so outlives a run, as a server's does:

- `objects`: by the name that Harbor knows each by, with `id` and `inputs`; a robot's `secret` too
- `down`: whether reading fails, as it does with a wrong password
- `images`: the projects that hold some
- `stored`: the documents in OpenBao, by path
"""

import argparse
import json
import re
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
from pulumi.runtime.proto import provider_pb2

from binaries import display
from sandbox import engine, provider
from sandbox.engine import Engine
from sandbox.in_memory import InMemory
from sandbox.package import Existing, Properties, Server, ServerError
from sandbox.servers.registry_users import RegistryUsers
from sandbox.simulated_harbor import PROJECT, RETENTION, ROBOT
from sandbox.simulated_harbor import SimulatedHarbor as Rules
from sandbox.simulated_openbao import SECRET, SimulatedOpenBao, path_of
from sandbox.world import World, WorldItem, WorldKey

FILE = Path(".sandbox/harbor.json")


class Contents:
    """What the file holds."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()  # the engine calls from several threads

    @contextmanager
    def opened(self) -> Generator[dict[str, Any]]:
        """The document, written back where nothing was refused."""
        with self._lock:
            if self._file.exists():
                document = json.loads(self._file.read_text(encoding="utf-8"))
            else:
                document = {"objects": {}, "down": False, "images": [], "stored": {}}
            yield document
            self._file.write_text(json.dumps(document, indent=1), encoding="utf-8")


class LenientRules(Rules):
    """As Harbor: nobody objects to a second retention policy of a project."""

    def key(self, kind: str, inputs: Properties) -> WorldKey | None:
        return None if kind.endswith(RETENTION) else super().key(kind, inputs)


class Harbor:
    """Answers as provider and Harbor do together; see `goharbor/terraform-provider-harbor`."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._rules = Rules()

    def preview(self, kind: str, inputs: Properties, old: Existing | None) -> Properties:
        return self._rules.update(kind, old.outputs, inputs) if old else inputs

    def create(self, kind: str, inputs: Properties) -> tuple[str, Properties]:
        with self._contents.opened() as contents:
            objects, name = contents["objects"], str(self._rules.key(kind, inputs))
            if name not in objects:
                id, outputs = self._rules.create(kind, inputs, _numbers(objects))
                objects[name] = {"id": id, "inputs": inputs, "secret": outputs.get("secret")}
                return id, outputs
            if not kind.endswith(RETENTION):
                raise ServerError(f"[ERROR] unexpected status code got: 409 expected: 201: {name}")
            # Refused as well, upon which the provider writes its rules into the one that is there.
            objects[name]["inputs"] = inputs
            return objects[name]["id"], inputs

    def read(self, kind: str, old: Existing) -> Existing | None:
        with self._contents.opened() as contents:
            down, found = contents["down"], _by_id(contents["objects"], old.id)
        if down and not kind.endswith(ROBOT):
            raise ServerError(f"resource not found {old.id}")
        if found is None or down:
            return None  # a robot is taken for deleted, whatever the error
        inputs = {**found["inputs"]}
        if kind.endswith(PROJECT):
            inputs["storageQuota"] = old.inputs["storageQuota"]  # it never asks for that
        return Existing(old.id, inputs, {**old.outputs, **inputs})

    def update(self, kind: str, old: Existing, inputs: Properties) -> Properties:
        with self._contents.opened() as contents:
            found = _by_id(contents["objects"], old.id)
            assert found, f"{old.id} is gone"
            there = found["inputs"]
            found["inputs"] = {**inputs}
            if kind.endswith(PROJECT) and inputs["storageQuota"] == old.inputs["storageQuota"]:
                found["inputs"]["storageQuota"] = there["storageQuota"]  # sent only if it changes
        return self._rules.update(kind, old.outputs, inputs)

    def delete(self, kind: str, old: Existing) -> None:
        with self._contents.opened() as contents:
            name = str(self._rules.key(kind, old.inputs))
            if kind.endswith(RETENTION):  # a project keeps its policy
                contents["objects"][name]["inputs"] |= {"schedule": "", "rules": []}
                return
            if kind.endswith(PROJECT) and (project := old.inputs["name"]) in contents["images"]:
                raise ServerError(
                    f"project {project} is not empty, please set force_destroy to TRUE to clean "
                    "all repositories"
                )
            del contents["objects"][name]


class WatchedOpenBao(InMemory):
    """The sandbox's OpenBao; what is stored in it can be looked at."""

    def __init__(self, world: World, contents: Contents) -> None:
        super().__init__(SimulatedOpenBao(), world)
        self._contents = contents

    def create(self, kind: str, inputs: Properties) -> tuple[str, Properties]:
        made = super().create(kind, inputs)
        self._keep(kind, inputs)
        return made

    def update(self, kind: str, old: Existing, inputs: Properties) -> Properties:
        outputs = super().update(kind, old, inputs)
        self._keep(kind, inputs)
        return outputs

    def delete(self, kind: str, old: Existing) -> None:
        if kind == SECRET:
            with self._contents.opened() as contents:
                del contents["stored"][path_of(kind, old.inputs)]

    def _keep(self, kind: str, inputs: Properties) -> None:
        if kind == SECRET:
            with self._contents.opened() as contents:
                contents["stored"][path_of(kind, inputs)] = json.loads(inputs["dataJson"])


class Providers(provider.Providers):
    """The sandbox's, but for Harbor's."""

    def __init__(
        self,
        real: Mapping[str, Server],
        cancelled: threading.Event,
        registry: RegistryUsers | None = None,
    ) -> None:
        super().__init__(real, cancelled, registry)
        contents = Contents(FILE)
        self._packages = {**self._packages, "harbor": LenientRules()}
        self._servers = {
            **self._servers,
            "harbor": Harbor(contents),
            "vault": WatchedOpenBao(self._world, contents),
        }

    def Diff(  # noqa: N802 - named by the protocol
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        response = super().Diff(request, context)
        if request.urn.split("::")[2].endswith(RETENTION):
            response.deleteBeforeReplace = False  # it has no name that the old one could hold
        return response


def refresh(engine: Engine) -> None:
    """`pulumi refresh`, which writes the state."""
    engine.stack.refresh(**display.settings(engine.colour))


def hasty(engine: Engine) -> None:
    """`pulumi up --skip-preview`."""
    engine.stack.up(**display.settings(engine.colour))


def unprotect(teams: list[str], engine: Engine) -> None:
    """Lift the protection of what is these teams' alone."""
    protected = [resource["urn"] for resource in engine.existing if resource.get("protect")]
    theirs = [urn for urn in protected if re.search(rf"::({'|'.join(teams)})(/|$)", urn)]
    engine.stack.cli("state", "unprotect", "--yes", *theirs)


def _by_id(objects: dict[str, Any], id: str) -> dict[str, Any] | None:
    return next((found for found in objects.values() if found["id"] == id), None)


def _numbers(objects: dict[str, Any]) -> World:
    """A world that goes on from the ids in use."""
    world = World()
    for name, found in objects.items():
        world.put(WorldKey("", name), WorldItem("", found["id"]))
    return world


def main() -> int:
    """Run a command of `make`, with or without a refresh first, or one of the three above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=[*engine.COMMANDS, "refresh", "hasty", "unprotect"])
    parser.add_argument("teams", nargs="*")
    parser.add_argument("--refresh", action="store_true")
    arguments = parser.parse_args()
    more = {"refresh": refresh, "hasty": hasty, "unprotect": partial(unprotect, arguments.teams)}
    with (
        mock.patch.object(provider, "Providers", Providers),
        mock.patch.dict(engine.COMMANDS, more),
    ):
        return engine.run(arguments.command, Path.cwd(), arguments.refresh)


if __name__ == "__main__":
    sys.exit(main())
