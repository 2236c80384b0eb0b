"""The objects in the sandbox: names and IDs only, so that no secret is ever kept here."""

import re
import threading
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class WorldKey:
    """A server's name for an object: a kind in its own words, and a name unique among that kind."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"


@dataclass
class WorldItem:
    """An existing object: its manager, its provider ID, and the object that contains it."""

    urn: str
    id: str
    container: WorldKey | None = None


class World:
    """Every existing object, by its server's name for it; safe for several threads."""

    def __init__(self) -> None:
        self._items: dict[WorldKey, WorldItem] = {}
        self._last_number: Counter[str] = Counter()
        self._lock = threading.RLock()

    def get(self, key: WorldKey) -> WorldItem | None:
        return self._items.get(key)

    def find(self, kind: str, id: str) -> WorldKey:
        """The key of the object of this kind with this ID, or a key that does not exist."""
        with self._lock:
            for key, item in self._items.items():
                if key.kind == kind and item.id == id:
                    return key
        return WorldKey(kind, id)

    def put(self, key: WorldKey, item: WorldItem) -> None:
        with self._lock:
            self._items[key] = item
            if match := re.fullmatch(r"(.*/)(\d+)", item.id):
                prefix, number = match[1], int(match[2])
                self._last_number[prefix] = max(self._last_number[prefix], number)

    def move(self, old: WorldKey, new: WorldKey) -> None:
        """Rename an object; it keeps its content."""
        with self._lock:
            self._items[new] = self._items.pop(old)

    def remove(self, key: WorldKey) -> None:
        """Remove the object and everything in it, as deleting a Namespace does."""
        with self._lock:
            self._items.pop(key, None)
            for held in [k for k, item in self._items.items() if item.container == key]:
                self.remove(held)

    def next_number(self, prefix: str) -> int:
        """The number for the next ID that starts with `prefix`: one more than ever used."""
        with self._lock:
            self._last_number[prefix] += 1
            return self._last_number[prefix]
