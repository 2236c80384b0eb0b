"""The stand-in for the three providers: one gRPC server that the Pulumi engine talks to."""

import json
import threading
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from semver import VersionInfo

from sandbox.diff import differences, within
from sandbox.harbor import Harbor
from sandbox.kubernetes import Kubernetes
from sandbox.openbao import OpenBao
from sandbox.package import Package, Problem, Properties
from sandbox.world import Item, Key, World

PACKAGES = ("kubernetes", "harbor", "vault")
SDKS = ("pulumi-kubernetes", "pulumiverse-harbor", "pulumi-vault")


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Serves every package at once; the type token in a request's URN says which one is meant.

    It takes and gives plain values (`accept_secrets` is false): the engine takes the secret marks
    off before a call and puts them back on what returns, so that the state holds them encrypted.
    """

    def __init__(self) -> None:
        self._packages: Mapping[str, Package] = {
            "kubernetes": Kubernetes(),
            "harbor": Harbor(),
            "vault": OpenBao(),
        }
        # The engine warns where a provider is older than its SDK: the newest SDK's suits all three.
        self._version = str(max(VersionInfo.parse(metadata.version(sdk)) for sdk in SDKS))
        self._world = World()
        self._claims: dict[Key, str] = {}  # names that this run's program has used, and for what
        self._lock = threading.Lock()  # the engine creates several objects at a time

    def seed(self, resources: Iterable[Mapping[str, Any]]) -> None:
        """Let what a stack's exported state lists exist, so that the two agree after any crash."""
        for resource in resources:
            package = resource["type"].partition(":")[0]
            if package in self._packages and not resource.get("pendingReplacement"):
                self._add(resource["urn"], resource["id"], resource.get("inputs", {}))

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> Empty:
        return Empty()

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "sandbox"}))

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return _diff(request, replaced_by=())

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        with self._lock:
            problems = self._problems(request.urn, _plain(request.news), new=not request.olds)
        failures = [
            provider_pb2.CheckFailure(property=p.property, reason=p.reason) for p in problems
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        package, kind = self._package(request.urn)
        with self._lock:
            key = package.key(kind, _plain(request.old_inputs))
            if key and (item := self._world.get(key)):
                item.urn = request.urn  # an alias may have renamed it
        return _diff(request, package.replaced_by(kind))

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        if request.preview:  # what the server would compute stays unknown
            return provider_pb2.CreateResponse(properties=request.properties)
        package, kind = self._package(request.urn)
        inputs = _plain(request.properties)
        with self._lock:
            key = package.key(kind, inputs)
            if key and self._world.get(key):
                context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{key} already exists")
            container = package.container(kind, inputs, self._world)
            if container and not self._world.get(container):
                context.abort(grpc.StatusCode.NOT_FOUND, f"{container} does not exist")
            id, outputs = package.create(kind, inputs, self._world)
            self._add(request.urn, id, inputs)
        return provider_pb2.CreateResponse(id=id, properties=_struct(outputs))

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        package, kind = self._package(request.urn)
        with self._lock:
            key = package.key(kind, _plain(request.inputs))
            if key is None or not self._world.get(key):
                return provider_pb2.ReadResponse()  # an empty id says that it is gone
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        package, kind = self._package(request.urn)
        inputs = _plain(request.news)
        if not request.preview:
            with self._lock:
                old, new = package.key(kind, _plain(request.old_inputs)), package.key(kind, inputs)
                if old and new and old != new:
                    self._world.move(old, new)
        outputs = package.update(kind, _plain(request.olds), inputs)
        return provider_pb2.UpdateResponse(properties=_struct(outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        package, kind = self._package(request.urn)
        with self._lock:
            if key := package.key(kind, _plain(request.old_inputs)):
                self._world.remove(key)
        return Empty()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        return Empty()

    def _package(self, urn: str) -> tuple[Package, str]:
        package, _, kind = _type(urn).partition(":")
        return self._packages[package], kind

    def _add(self, urn: str, id: str, inputs: Properties) -> None:
        package, kind = self._package(urn)
        if key := package.key(kind, inputs):
            self._world.put(key, Item(urn, id, package.container(kind, inputs, self._world)))

    def _problems(self, urn: str, inputs: Properties, new: bool) -> list[Problem]:
        package, kind = self._package(urn)
        if not package.knows(kind):
            return [Problem("", f"the sandbox's servers know no type {_type(urn)!r}")]
        problems = package.problems(kind, inputs)
        key = package.key(kind, inputs)
        if key is None:
            return problems
        holder = self._claims.get(key, urn)
        existing = self._world.get(key)
        if holder == urn and new and existing:
            holder = existing.urn
        if holder == urn:
            self._claims[key] = urn
        else:
            problems.append(Problem("", f"{key} already exists, made by {_name(holder)!r}"))
        return problems


@contextmanager
def serve(resources: Iterable[Mapping[str, Any]]) -> Generator[str]:
    """Run the stand-in, seeded with a state's resources; gives PULUMI_DEBUG_PROVIDERS' value."""
    stand_in = StandIn()
    stand_in.seed(resources)
    server = grpc.server(ThreadPoolExecutor(max_workers=16))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(stand_in, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield ",".join(f"{package}:{port}" for package in PACKAGES)
    finally:
        server.stop(grace=None).wait()


def _diff(
    request: provider_pb2.DiffRequest, replaced_by: tuple[str, ...]
) -> provider_pb2.DiffResponse:
    changes = differences(_plain(request.old_inputs), _plain(request.news))
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME
        if changes
        else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({_top(path) for path in changes}),
        deleteBeforeReplace=True,  # every name is explicit, so the old must make room first
        hasDetailedDiff=True,
    )
    for path, change in changes.items():
        replace = any(within(path, property) for property in replaced_by)
        kind = provider_pb2.PropertyDiff.Kind.Value(f"{change}_REPLACE" if replace else change)
        response.detailedDiff[path].CopyFrom(provider_pb2.PropertyDiff(kind=kind, inputDiff=True))
        if replace:
            response.replaces.append(_top(path))
    return response


def _plain(struct: Struct) -> Properties:
    return MessageToDict(struct)


def _struct(properties: Properties) -> Struct:
    struct = Struct()
    struct.update(properties)
    return struct


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _name(urn: str) -> str:
    return urn.split("::", maxsplit=3)[3]


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]
