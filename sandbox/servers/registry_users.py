"""Who may pull images from the sandbox's registry, and push to it."""

import subprocess
import threading
from pathlib import Path
from typing import Self

from binaries.pinned import image_registry
from sandbox.servers.record import write_private


class RegistryUsers:
    """The registry's file of users, which it reloads when it changes."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the servers."""
        self.file = folder / "keys" / "registry-users"
        self._lock = threading.Lock()

    @classmethod
    def of_started(cls, folder: Path) -> Self | None:
        """None if no registry was started there."""
        users = cls(folder)
        return users if users.file.exists() else None

    def add(self, name: str, password: str) -> None:
        """Let a user log in with this password, and no other."""
        command = [image_registry(), "htpasswd", name]
        hashed = subprocess.run(command, input=password, capture_output=True, text=True, check=True)
        with self._lock:
            lines = self.file.read_text("utf-8").splitlines() if self.file.exists() else []
            others = [line for line in lines if line.partition(":")[0] != name]
            write_private(self.file, "\n".join([*others, hashed.stdout.strip(), ""]))
