"""The kubeconfig, read like kubectl: all files in `KUBECONFIG` count as one."""

import base64
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class KubeconfigError(Exception):
    """There is no kubeconfig, or it lacks something that is needed."""


@dataclass(frozen=True)
class ApiServer:
    """Address of the API server, and the PEM of the CA that signed its certificate."""

    host: str
    ca_cert: str


def listed() -> str:
    """The files in `KUBECONFIG`; if several define an entry, the first one counts."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def current_context(files: str) -> str | None:
    """The current context of a list of files, if they have one.

    Raises the errors of reading and parsing them: OSError, yaml.YAMLError and others.
    """
    return _current(_read(files))


def api_server(context: str | None) -> ApiServer:
    """The API server of `context`, or of the current one, for an OpenBao outside the cluster.

    Raises KubeconfigError if the address or the CA is missing.
    """
    files = listed()
    try:
        configs = list(_read(files))
        _, entry = _named(configs, "contexts", context or _current(configs))
        file, entry = _named(configs, "clusters", entry["context"]["cluster"])
        return ApiServer(entry["cluster"]["server"], _ca_cert(entry["cluster"], file.parent))
    except (
        OSError,
        LookupError,
        StopIteration,
        TypeError,
        AttributeError,
        ValueError,
        yaml.YAMLError,
    ):
        raise KubeconfigError(
            f"{files} does not name the API server and its CA, which OpenBao needs outside the "
            "cluster; fix it, or set sre-platform:openbao.inCluster to true"
        ) from None


def _read(files: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each file that exists, and its content."""
    for file in map(Path, files.split(os.pathsep)):
        if file.is_file():
            yield file, yaml.safe_load(file.read_text(encoding="utf-8")) or {}


def _current(configs: Iterable[tuple[Path, dict[str, Any]]]) -> str | None:
    contexts = (config.get("current-context") for _, config in configs)
    return next(filter(None, contexts), None)


def _named(
    configs: Iterable[tuple[Path, dict[str, Any]]], kind: str, name: str | None
) -> tuple[Path, dict[str, Any]]:
    """The first entry of that kind and name, and the file that contains it."""
    return next(
        (file, entry)
        for file, config in configs
        for entry in config.get(kind) or ()
        if entry["name"] == name
    )


def _ca_cert(cluster: dict[str, Any], folder: Path) -> str:
    if data := cluster.get("certificate-authority-data"):
        return base64.b64decode(data).decode("ascii")
    return (folder / cluster["certificate-authority"]).read_text(encoding="ascii")
