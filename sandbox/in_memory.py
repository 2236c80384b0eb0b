"""A server of the stand-in: an object is a name in the World, and its outputs are made up."""

from typing import Protocol

from sandbox.package import Existing, Package, Properties, ServerError
from sandbox.world import World


class Simulation(Package, Protocol):
    """A package that also knows its server's answers."""

    def create(self, kind: str, inputs: Properties, world: World) -> tuple[str, Properties]:
        """The new object's ID and outputs."""

    def update(self, kind: str, old: Properties, inputs: Properties) -> Properties:
        """The outputs after an update, given those before it."""


class InMemory:
    """One package's objects, by their names in the World."""

    def __init__(self, package: Simulation, world: World) -> None:
        self._package = package
        self._world = world

    def preview(self, kind: str, inputs: Properties, old: Existing | None) -> Properties:
        # Values that the server would compute for a new object stay unknown.
        return self._package.update(kind, old.outputs, inputs) if old else inputs

    def create(self, kind: str, inputs: Properties) -> tuple[str, Properties]:
        container = self._package.container(kind, inputs, self._world)
        if container and not self._world.get(container):
            raise ServerError(f"{container} does not exist")
        return self._package.create(kind, inputs, self._world)

    def read(self, kind: str, old: Existing) -> Existing | None:
        key = self._package.key(kind, old.inputs)
        return old if key and self._world.get(key) else None

    def update(self, kind: str, old: Existing, inputs: Properties) -> Properties:
        return self._package.update(kind, old.outputs, inputs)

    def delete(self, kind: str, old: Existing) -> None:
        """The World itself forgets the object."""
