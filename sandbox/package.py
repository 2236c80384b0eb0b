"""Interfaces of the providers' gRPC server: a package's rules, and the server of its objects."""

import importlib.util
import re
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pulumi.runtime.rpc import UNKNOWN

from sandbox.world import World, WorldKey

type_token = re.compile(r'"([a-z]+:[^":]+:[A-Za-z0-9]+)": "')

Properties = dict[str, Any]


class InputProblem(NamedTuple):
    """Why inputs are rejected: the property's path and what is wrong.

    The engine shows that property's value: if it is secret, the path must be empty.
    """

    property: str
    reason: str


class Package(Protocol):
    """One provider's rules that need no server.

    A `kind` is a type token without its package: "apps/v1:Deployment".
    """

    def knows(self, kind: str) -> bool: ...

    def problems(self, kind: str, inputs: Properties) -> list[InputProblem]:
        """What is clearly wrong with the inputs; values unknown in a preview are not judged."""

    def key(self, kind: str, inputs: Properties) -> WorldKey | None:
        """The name that must be free, or None if the kind has none or it is not yet known."""

    def container(self, kind: str, inputs: Properties, world: World) -> WorldKey | None:
        """The object that must exist first and whose deletion deletes this one."""

    def replaced_by(self, kind: str) -> tuple[str, ...]:
        """Paths of the properties that cannot be changed in place."""


class Existing(NamedTuple):
    """An object as the stack's state knows it."""

    id: str
    inputs: Properties
    outputs: Properties


class ServerError(Exception):
    """The server refused, or did not answer: a line for the user."""


class UnfinishedError(ServerError):
    """The object exists, or may exist, but is not yet as it should be.

    The state must list it as `left`; the next `up` continues from there.
    """

    def __init__(self, message: str, left: Existing) -> None:
        super().__init__(message)
        self.left = left


class Server(Protocol):
    """The server of one provider's objects. All methods raise ServerError."""

    def preview(self, kind: str, inputs: Properties, old: Existing | None) -> Properties:
        """The outputs, as far as known, of a creation or an update."""

    def create(self, kind: str, inputs: Properties) -> tuple[str, Properties]:
        """The new object's ID and outputs. Raises UnfinishedError too."""

    def read(self, kind: str, old: Existing) -> Existing | None:
        """The object as it is now; its inputs are those of `old` with the differences from them.

        Without such inputs, the object will be imported, and the inputs are all that can be read of
        it. None if it is gone. Raises UnfinishedError too.
        """

    def update(self, kind: str, old: Existing, inputs: Properties) -> Properties:
        """The outputs after the update. Raises UnfinishedError too."""

    def delete(self, kind: str, old: Existing) -> None:
        """Return when the object is gone; it may have been gone before."""


@runtime_checkable
class Configurable(Protocol):
    """A server that uses the inputs of the provider itself."""

    def configure(self, settings: Properties) -> None:
        """Comes before any other call."""


class RealServer(Server, Protocol):
    """A server whose objects exist independently of this process."""

    def left_behind(self, kind: str, inputs: Properties) -> str | None:
        """The ID of the object that an interrupted creation left, if it did. Raises ServerError."""


def registered_types(module: str, package: str) -> frozenset[str]:
    """The kinds that an installed SDK registers, read from its source: importing takes seconds."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the Pulumi SDK {module} is not installed")
    tokens = type_token.findall(Path(spec.origin).read_text(encoding="utf-8"))
    return frozenset(t.removeprefix(f"{package}:") for t in tokens if t.startswith(f"{package}:"))


def known(value: object) -> str | None:
    """The value if it is a known text: a preview has a placeholder for unknown values."""
    return value if isinstance(value, str) and value != UNKNOWN else None
