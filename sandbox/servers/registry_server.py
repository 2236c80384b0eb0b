"""The registry of container images, over TLS, for users with a password."""

import json
import secrets

from binaries.pinned import image_registry
from sandbox.servers.images import ImageRegistry
from sandbox.servers.parts import REGISTRY, Command, Parts
from sandbox.servers.record import write_private
from sandbox.servers.registry_users import RegistryUsers

USER = "sandbox"  # may push what the node runs


class RegistryServer:
    """The registry of a checkout."""

    def __init__(self, parts: Parts) -> None:
        self.users = RegistryUsers(parts.folder)
        self._parts = parts

    @property
    def password(self) -> str:
        """That of `USER`, made once and kept."""
        file = self._parts.folder / "keys" / "registry-password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24))
        return file.read_text("utf-8")

    def command(self) -> Command:
        """Its command line. Writes all files that it reads. Raises UserError."""
        program = image_registry()
        self.users.add(USER, self.password)
        folder = self._parts.folder / REGISTRY
        folder.mkdir(mode=0o700, exist_ok=True)
        keys = self._parts.keys
        configuration = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {
                "addr": f"127.0.0.1:{self._parts.ports[REGISTRY]}",
                "relativeurls": True,
                "tls": {"certificate": str(keys.server_cert), "key": str(keys.server_key)},
            },
            "auth": {"htpasswd": {"realm": "sandbox", "path": str(self.users.file)}},
        }
        file = folder / "registry.json"
        write_private(file, json.dumps(configuration, indent=2))
        return [program, "serve", file]

    def client(self) -> ImageRegistry:
        """A client, logged in as `USER`."""
        address, ca_cert = self._parts.address(REGISTRY), self._parts.keys.ca_cert
        return ImageRegistry(address, ca_cert, USER, self.password)
