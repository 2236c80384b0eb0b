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

    Raises pulumi.RunError when `KUBECONFIG` names no file that tells both.
    """
    path = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    try:
        config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = context or config["current-context"]
        cluster_name = _named(config["contexts"], name)["context"]["cluster"]
        cluster = _named(config["clusters"], cluster_name)["cluster"]
        return ApiServer(cluster["server"], _ca_cert(cluster, path.parent))
    except (OSError, KeyError, StopIteration, TypeError, ValueError, yaml.YAMLError):
        raise pulumi.RunError(
            f"{path} does not tell the API server and its CA, which OpenBao needs outside the "
            "cluster; mend it, or set sre-platform:openbao.inCluster to true"
        ) from None


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _ca_cert(cluster: dict[str, Any], folder: Path) -> str:
    if data := cluster.get("certificate-authority-data"):
        return base64.b64decode(data).decode("ascii")
    return (folder / cluster["certificate-authority"]).read_text(encoding="ascii")
