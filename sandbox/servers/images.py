"""Container images made of a static busybox, without a builder, and pushed to a registry."""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from binaries.pinned import MACHINES
from clients.http import RefusedError, UnreachableError

BUSYBOX = Path("/bin/busybox")
APPLETS = (
    "cat",
    "cut",
    "date",
    "echo",
    "env",
    "false",
    "grep",
    "head",
    "httpd",
    "id",
    "kill",
    "ls",
    "nc",
    "nslookup",
    "ps",
    "sh",
    "sleep",
    "tail",
    "test",
    "timeout",
    "tr",
    "true",
    "wget",
)
USER = "65532:65532"  # a number: a kubelet cannot check whether a name is root's

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_TIMEOUT = 30  # seconds


@dataclass(frozen=True)
class Image:
    """An image of one layer, with its manifest and configuration as they are stored."""

    layer: bytes
    config: bytes

    @classmethod
    def make(
        cls,
        files: Mapping[str, str],
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        user: str = USER,
        busybox: bool = True,
        programs: Mapping[str, Path] | None = None,
    ) -> "Image":
        """Make one of these text files, by path, and busybox; those in `/bin` are executable.

        `programs` are copied from this machine. If there are any, a container's arguments are those
        of `command`.
        """
        plain = _archive(files, busybox, programs or {})
        variables = {"PATH": "/bin", **(environment or {})}
        config: dict[str, Any] = {
            "architecture": MACHINES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {
                "User": user,
                "Env": [f"{name}={value}" for name, value in variables.items()],
                "Entrypoint" if programs else "Cmd": list(command),
            },
            "rootfs": {"type": "layers", "diff_ids": [digest(plain)]},
        }
        return cls(gzip.compress(plain, 1, mtime=0), json.dumps(config).encode())

    @property
    def manifest(self) -> bytes:
        parts = ((_CONFIG, self.config), (_LAYER, self.layer))
        config, layer = ({"mediaType": t, "size": len(b), "digest": digest(b)} for t, b in parts)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": config,
            "layers": [layer],
        }
        return json.dumps(manifest).encode()

    def save(self, file: Path, name: str) -> None:
        """Write an archive in OCI's layout, in which the image has that name."""
        named = {
            "mediaType": _MANIFEST,
            "size": len(self.manifest),
            "digest": digest(self.manifest),
            "annotations": {"io.containerd.image.name": name},
        }
        contents = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
        contents["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
        for blob in (self.layer, self.config, self.manifest):
            contents[f"blobs/{digest(blob).replace(':', '/')}"] = blob
        with tarfile.open(file, "w") as archive:
            for path, content in contents.items():
                archive.addfile(_entry(path, 0o644, len(content)), io.BytesIO(content))


class ImageRegistry:
    """A client of a registry, logged in as one user."""

    def __init__(self, address: str, ca_cert: Path, user: str, password: str) -> None:
        self._address = address
        self._ca_cert = str(ca_cert)
        self._session = requests.Session()
        self._session.trust_env = False  # it is on this machine: no proxy
        self._session.auth = (user, password)

    def check(self) -> None:
        """Raise UnreachableError or RefusedError unless it accepts this user."""
        self._call("GET", "/v2/")

    def push(self, repository: str, tag: str, image: Image) -> None:
        """Raises UnreachableError or RefusedError."""
        for blob in (image.layer, image.config):
            upload = self._call("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
            self._call("PUT", upload, blob, digest=digest(blob))
        place = f"/v2/{repository}/manifests/{tag}"
        self._call("PUT", place, image.manifest, _MANIFEST)

    def _call(
        self,
        method: str,
        place: str,
        body: bytes | None = None,
        content_type: str = "application/octet-stream",
        **query: str,
    ) -> requests.Response:
        try:
            response = self._session.request(
                method,
                urljoin(self._address, place),
                data=body,
                params=query,
                headers={"Content-Type": content_type},
                timeout=_TIMEOUT,
                verify=self._ca_cert,
            )
        except requests.exceptions.RequestException as error:
            raise UnreachableError(self._address, f"does not answer: {error}") from None
        if not response.ok:
            raise RefusedError(self._address, response.status_code, response.text.strip())
        return response


def digest(content: bytes) -> str:
    """The digest that registries use."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _archive(files: Mapping[str, str], busybox: bool, programs: Mapping[str, Path]) -> bytes:
    """The layer: always the same for the same files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        paths = [Path(path.lstrip("/")) for path in (*files, *programs)]
        folders = {str(up) for path in paths for up in path.parents} - {"."}
        for folder in sorted({"bin", "tmp", *folders}):
            entry = _entry(folder, 0o755, 0)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        if busybox:
            programs = {**programs, "/bin/busybox": BUSYBOX}
            for applet in APPLETS:
                entry = _entry(f"bin/{applet}", 0o777, 0)
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
        for path, program in sorted(programs.items()):
            binary = program.read_bytes()
            archive.addfile(_entry(path.lstrip("/"), 0o755, len(binary)), io.BytesIO(binary))
        for path, text in sorted(files.items()):
            content = text.encode()
            mode = 0o755 if path.startswith("/bin/") else 0o644
            archive.addfile(_entry(path.lstrip("/"), mode, len(content)), io.BytesIO(content))
    return stream.getvalue()


def _entry(path: str, mode: int, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mode, entry.size = mode, size
    return entry
