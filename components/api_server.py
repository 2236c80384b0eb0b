"""How the API server is reached, from the kubeconfig: for an OpenBao outside the cluster."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import yaml


@dataclass(frozen=True)
class ApiServer:
    """Address of the API server, and the PEM of the CA that signed its certificate."""

    host: str
    ca_cert: str


def api_server(context: str | None) -> ApiServer:
    """That of `context`, or of the kubeconfig's current one.

    As kubectl does, it reads all files that `KUBECONFIG` lists; the first that says a thing counts.
    Raises pulumi.RunError when they do not tell both.
    """
    listed = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    try:
        files = [file for file in map(Path, listed.split(os.pathsep)) if file.is_file()]
        configs = [(file, yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files]
        current = (
            config["current-context"] for _, config in configs if "current-context" in config
        )
        _, entry = _named(configs, "contexts", context or next(current))
        file, entry = _named(configs, "clusters", entry["context"]["cluster"])
        return ApiServer(entry["cluster"]["server"], _ca_cert(entry["cluster"], file.parent))
    except (OSError, KeyError, StopIteration, TypeError, ValueError, yaml.YAMLError):
        raise pulumi.RunError(
            f"{listed} does not tell the API server and its CA, which OpenBao needs outside the "
            "cluster; mend it, or set sre-platform:openbao.inCluster to true"
        ) from None


def _named(
    configs: list[tuple[Path, dict[str, Any]]], kind: str, name: str
) -> tuple[Path, dict[str, Any]]:
    """The first entry of that kind and name, and the file that has it."""
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
