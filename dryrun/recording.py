"""Runs the program without an engine and records what it registers, for `render` and for tests."""

import asyncio
import base64
import contextvars
import json
import logging
import os
import runpy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import get_root_resource, mocks, resource, set_all_config
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.proto.resource_pb2 import RegisterResourceResponse, ResourceInvokeResponse
from pulumi.runtime.rpc import is_rpc_secret
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import Stack, run_pulumi_func

from dryrun.placeholder_kubeconfig import placeholder
from specs.settings import LEAVE_OUT, PREFIX
from specs.stack_file import stack_config

_P = ParamSpec("_P")
_T = TypeVar("_T")

PROJECT = "sre-platform"
SECRET = "[secret]"

# The program's warnings are for those who run it on the engine.
_ERRORS = logging.getLogger(__name__)
_ERRORS.setLevel(logging.ERROR)

# The program needs its servers' addresses; nothing here connects to any.
_PLACEHOLDERS = {
    "HARBOR_URL": "https://harbor.invalid",
    "HARBOR_USERNAME": "nobody",
    "HARBOR_PASSWORD": SECRET,
    "VAULT_ADDR": "https://openbao.invalid",
}


@dataclass(frozen=True)
class Registration:
    """A resource as the program registered it.

    `inputs` is plain data with `SECRET` for each secret value; `request` is the message to the
    engine (pulumirpc.RegisterResourceRequest), which contains every resource option.
    """

    type: str
    name: str
    inputs: dict[str, Any]
    request: Any

    @property
    def package(self) -> str:
        """`kubernetes`, `harbor`, `vault`; `sre` for components, `pulumi` for providers."""
        return self.type.partition(":")[0]


@dataclass
class Recording:
    """What one run of the program registered, in the order of registration, and its outputs.

    `given` has the outputs of each component, by its type and name.
    """

    registrations: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    given: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


def record(
    root: Path, stack: str, config: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> Recording:
    """Run `root/__main__.py` as `stack` with `config` (keys with their prefix, values as in YAML).

    `before` is the content of the stack's state: `type` and `outputs` of each resource by its URN;
    empty before the first `up`. Raises what the program raises: pulumi.RunError for a user's
    mistake.
    """
    recording = Recording()
    answers = _Answers(before or {})
    # The SDK keeps its state in context variables: in a new context, each run is the first.
    contextvars.Context().run(_run, root, stack, config, recording, answers)
    return recording


def record_stack(
    root: Path, stack: str, tenants: Path, changes: Mapping[str, Any] | None = None
) -> Recording:
    """Like `record`, with the config of the stack's files, those team files and `changes`."""
    own = {
        f"{PREFIX}tenants": str(tenants.resolve()),
        f"{PREFIX}adopt": False,  # it would contact the stack's servers
    }
    return record(root, stack, {**stack_config(root, stack), **own, **(changes or {})})


def _run(
    root: Path, stack: str, config: Mapping[str, Any], recording: Recording, answers: "_Answers"
) -> None:
    def program() -> None:
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(_AtOnce())
    try:
        with _environment(config), _nowhere_in_the_source():
            monitor = _Recorder(recording, answers)
            mocks.set_mocks(answers, PROJECT, stack, preview=False, logger=_ERRORS, monitor=monitor)
            # Mocks leave this one unchanged, with the unfinished tasks of a failed run.
            SETTINGS.outputs = set()  # type: ignore[assignment,method-assign]
            set_all_config({key: _as_engine_says(value) for key, value in config.items()})
            loop.run_until_complete(run_pulumi_func(program))
            outputs = pulumi.Output.from_input(cast(Stack, get_root_resource()).outputs)
            recording.outputs = loop.run_until_complete(outputs.future()) or {}
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _as_engine_says(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def _environment(config: Mapping[str, Any]) -> Iterator[None]:
    """While it is active, the servers that the program needs are placeholders, whatever is set."""
    kubernetes = config.get(f"{PREFIX}kubernetes")
    context = kubernetes.get("context") if isinstance(kubernetes, Mapping) else None
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(placeholder(context), encoding="utf-8")
        for variable in ("VAULT_SKIP_VERIFY", "VAULT_CACERT", LEAVE_OUT):
            os.environ.pop(variable, None)
        os.environ.update({**_PLACEHOLDERS, "KUBECONFIG": str(kubeconfig)})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def _nowhere_in_the_source() -> Iterator[None]:
    """The SDK looks up the lines that register each resource, which only an engine needs."""
    before = resource._get_stack_trace
    resource._get_stack_trace = source_pb2.StackTrace
    try:
        yield
    finally:
        resource._get_stack_trace = before


class _AtOnce(ThreadPoolExecutor):
    """The SDK waits for its engine in threads; here, nothing is waited for."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        answer: Future[_T] = Future()
        try:
            answer.set_result(fn(*args, **kwargs))
        except Exception as error:
            answer.set_exception(error)
        return answer


class _Recorder(mocks.MockMonitor):
    """A stand-in for the engine's resource monitor.

    Unlike the mocks', its answers are made of the requests as they are: nothing is read and written
    once more.
    """

    def __init__(self, recording: Recording, answers: "_Answers") -> None:
        super().__init__(answers)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return RegisterResourceResponse(urn=urn)
        inputs = _plain(MessageToDict(request.object))
        self._recording.registrations.append(
            Registration(request.type, request.name, inputs, request)
        )
        made = mocks.MockResourceArgs(request.type, request.name, inputs)
        id, computed = self.mocks.new_resource(made)
        answer = RegisterResourceResponse(urn=urn, id=id or "", object=request.object)
        answer.object.update(computed)
        return answer

    def Invoke(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        asked = mocks.MockCallArgs(request.tok, MessageToDict(request.args), request.provider)
        found, _ = self.mocks.call(asked)
        answer = ResourceInvokeResponse()
        getattr(answer, "return").update(found)
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        _, _, types, name = request.urn.split("::", 3)
        type = types.rpartition("$")[2]
        self._recording.given[type, name] = _plain(MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)


class _Answers(mocks.Mocks):
    """Stands in for engine and providers: answers with placeholders that say what they are for."""

    def __init__(self, before: Mapping[str, Any]) -> None:
        self._before = before

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The resource's ID, and its outputs that differ from its inputs."""
        outputs: dict[str, Any] = {}
        kind = args.typ.rpartition(":")[2]
        if kind == "RobotAccount":
            outputs["fullName"] = f"robot${args.name.replace('/', '+')}"
            outputs["secret"] = SECRET
        if args.inputs.get("type") == "kubernetes.io/service-account-token":
            outputs["data"] = {"token": base64.b64encode(SECRET.encode()).decode()}
        return f"[id of {kind} {args.name}]", outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        if args.token == "pulumi:pulumi:readStackResourceOutputs":
            return {"outputs": self._before}, []
        raise NotImplementedError(f"the program calls no provider functions, but {args.token}")


def _plain(value: Any) -> Any:
    """JSON-like data of a message, with secrets hidden."""
    if is_rpc_secret(value):
        return SECRET
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    # Numbers travel as doubles, and Kubernetes and Harbor have no fractions.
    return int(value) if isinstance(value, float) else value
