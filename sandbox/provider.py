"""The sandbox's providers: one gRPC server that the Pulumi engine uses in place of three."""

import json
import threading
from collections.abc import Container, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from typing import Any, NoReturn

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from semver import VersionInfo

from plain.trees import within
from sandbox.diff import changes
from sandbox.in_memory import InMemory, Simulation
from sandbox.package import (
    Configurable,
    Existing,
    InputProblem,
    Package,
    Properties,
    Server,
    ServerError,
    UnfinishedError,
)
from sandbox.servers.registry_users import RegistryUsers
from sandbox.simulated_harbor import SimulatedHarbor
from sandbox.simulated_kubernetes import SimulatedKubernetes
from sandbox.simulated_openbao import SimulatedOpenBao
from sandbox.world import World, WorldItem, WorldKey

# By package, the SDK that has its plugin's version.
SDKS = {
    "kubernetes": "pulumi-kubernetes",
    "harbor": "pulumiverse-harbor",
    "vault": "pulumi-vault",
}
# More than the engine's parallel operations: a wait for pods must not block another call.
CALLS_AT_A_TIME = 256


class Providers(provider_pb2_grpc.ResourceProviderServicer):
    """Serves every package at once; the type token in a request's URN identifies the package.

    It takes and returns plain values (`accept_secrets` is false): the engine removes the secret
    marks before a call and restores them on the result, so that the state holds them encrypted.
    """

    def __init__(
        self,
        real: Mapping[str, Server],
        cancelled: threading.Event,
        registry: RegistryUsers | None = None,
    ) -> None:
        self._cancelled = cancelled
        simulations: Mapping[str, Simulation] = {
            "kubernetes": SimulatedKubernetes(),
            "harbor": SimulatedHarbor(registry),
            "vault": SimulatedOpenBao(),
        }
        self._world = World()
        self._packages: Mapping[str, Package] = simulations
        self._servers: Mapping[str, Server] = {
            **{name: InMemory(package, self._world) for name, package in simulations.items()},
            **real,
        }
        # The engine warns if a provider is older than its SDK: the newest SDK's version suits all
        # three.
        self._version = str(max(VersionInfo.parse(metadata.version(sdk)) for sdk in SDKS.values()))
        self._claims: dict[
            WorldKey, str
        ] = {}  # names that this run's program has used, and their objects
        self._lock = threading.Lock()  # the engine checks several objects at a time

    def seed(self, resources: Iterable[Mapping[str, Any]]) -> None:
        """Create what a stack's exported state lists, so that the two agree after any crash."""
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
        self._cancelled.clear()  # the engine cancels at the end of every run, and on an interrupt
        server = self._servers[request.type.rpartition(":")[2]]
        if isinstance(server, Configurable):
            server.configure(_plain(request.args))
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
        package, _, kind = self._asked(request.urn)
        key = package.key(kind, _plain(request.old_inputs))
        if key and (item := self._world.get(key)):
            item.urn = request.urn  # an alias may have renamed it
        return _diff(request, package.replaced_by(kind))

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        package, server, kind = self._asked(request.urn)
        inputs = _plain(request.properties)
        with _refusing(context):
            if request.preview:
                outputs = server.preview(kind, inputs, None)
                return provider_pb2.CreateResponse(properties=_struct(outputs))
            key = package.key(kind, inputs)
            if key and self._world.get(key):
                raise ServerError(f"{key} already exists")
            id, outputs = server.create(kind, inputs)
        self._add(request.urn, id, inputs)
        return provider_pb2.CreateResponse(id=id, properties=_struct(outputs))

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        package, server, kind = self._asked(request.urn)
        old = Existing(request.id, _plain(request.inputs), _plain(request.properties))
        with _refusing(context):
            live = server.read(kind, old)
        if live and not old.inputs:
            self._add(request.urn, live.id, live.inputs)
        if live is None:
            if key := package.key(kind, old.inputs):
                self._world.remove(key)
            return provider_pb2.ReadResponse()  # an empty ID means that it is gone
        return provider_pb2.ReadResponse(
            id=live.id, properties=_struct(live.outputs), inputs=_struct(live.inputs)
        )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        package, server, kind = self._asked(request.urn)
        inputs = _plain(request.news)
        old = Existing(request.id, _plain(request.old_inputs), _plain(request.olds))
        with _refusing(context):
            if request.preview:
                outputs = server.preview(kind, inputs, old)
                return provider_pb2.UpdateResponse(properties=_struct(outputs))
            outputs = server.update(kind, old, inputs)
        before, after = package.key(kind, old.inputs), package.key(kind, inputs)
        if before and after and before != after:
            self._world.move(before, after)
        return provider_pb2.UpdateResponse(properties=_struct(outputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        package, server, kind = self._asked(request.urn)
        old = Existing(request.id, _plain(request.old_inputs), _plain(request.properties))
        with _refusing(context):
            server.delete(kind, old)
        if key := package.key(kind, old.inputs):
            self._world.remove(key)
        return Empty()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        self._cancelled.set()
        return Empty()

    def _asked(self, urn: str) -> tuple[Package, Server, str]:
        """The package of a URN's type, its server, and the type without the package."""
        name, _, kind = _type(urn).partition(":")
        return self._packages[name], self._servers[name], kind

    def _add(self, urn: str, id: str, inputs: Properties) -> None:
        package, _, kind = self._asked(urn)
        if key := package.key(kind, inputs):
            self._world.put(key, WorldItem(urn, id, package.container(kind, inputs, self._world)))

    def _problems(self, urn: str, inputs: Properties, new: bool) -> list[InputProblem]:
        package, _, kind = self._asked(urn)
        if not package.knows(kind):
            return [InputProblem("", f"the sandbox's servers do not know the type {_type(urn)!r}")]
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
            problems.append(InputProblem("", f"{key} already exists, created by {_name(holder)!r}"))
        return problems


@contextmanager
def serve(
    resources: Iterable[Mapping[str, Any]],
    real: Mapping[str, Server] | None = None,
    cancelled: threading.Event | None = None,
    but: Container[str] = (),
    registry: RegistryUsers | None = None,
) -> Generator[str]:
    """Run the providers, seeded with a state's resources; yield PULUMI_DEBUG_PROVIDERS' value.

    `real` are servers by package name; other packages are simulated. `cancelled` is set when the
    engine no longer wants to wait for anything. The engine itself finds the packages in `but`.
    Harbor's robots may log in to the `registry`.
    """
    providers = Providers(real or {}, cancelled or threading.Event(), registry)
    providers.seed(resources)
    server = grpc.server(ThreadPoolExecutor(max_workers=CALLS_AT_A_TIME))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(providers, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield ",".join(f"{package}:{port}" for package in SDKS if package not in but)
    finally:
        server.stop(grace=None).wait()


@contextmanager
def _refusing(context: grpc.ServicerContext) -> Generator[None]:
    """Report a ServerError in the form that the engine understands."""
    try:
        yield
    except UnfinishedError as error:
        _record_unfinished(context, str(error), error.left)
    except ServerError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _record_unfinished(context: grpc.ServicerContext, reason: str, left: Existing) -> NoReturn:
    """An error that makes the engine write the object into the state, with the reason."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=left.id,
        properties=_struct(left.outputs),
        inputs=_struct(left.inputs),
        reasons=[reason],
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=reason)
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, reason)


def _diff(
    request: provider_pb2.DiffRequest, replaced_by: tuple[str, ...]
) -> provider_pb2.DiffResponse:
    found = changes(_plain(request.old_inputs), _plain(request.news))
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME
        if found
        else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({_top(path) for path in found}),
        deleteBeforeReplace=True,  # every name is explicit, so the old object must be deleted first
        hasDetailedDiff=True,
    )
    for path, change in found.items():
        replace = any(within(path, property) for property in replaced_by)
        kind = provider_pb2.PropertyDiff.Kind.Value(f"{change}_REPLACE" if replace else change)
        response.detailedDiff[path].CopyFrom(provider_pb2.PropertyDiff(kind=kind, inputDiff=True))
        if replace:
            response.replaces.append(_top(path))
    return response


def _plain(struct: Struct) -> Properties:
    plain: Properties = _with_integers(MessageToDict(struct))
    return plain


def _with_integers(value: Any) -> Any:
    """The same with 2 for 2.0: a Struct has no integers, and an API server requires them."""
    if isinstance(value, dict):
        return {key: _with_integers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_integers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
