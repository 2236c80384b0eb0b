"""An app's probes as Kubernetes has them.

Istio rewrites those over HTTP, TCP and gRPC: the kubelet asks the sidecar's agent, which connects
to the app past the sidecar and mutual TLS. A command runs in the container (istio/istio:
pkg/kube/inject/app_probe.go).
"""

from pulumi_kubernetes.core.v1 import (
    ExecActionArgs,
    GRPCActionArgs,
    HTTPGetActionArgs,
    ProbeArgs,
    TCPSocketActionArgs,
)

from specs.app import BaseApp
from specs.container import WebAppContainer, WorkerContainer
from specs.labels import probe_off
from specs.ports import MAIN
from specs.probes import Probe, given


def probe(app: BaseApp, name: str) -> ProbeArgs | None:
    """The container's probe of that name, if it has one."""
    found = app.probes.get(name)
    if found is None:
        return None
    return ProbeArgs(
        http_get=_http(found),
        tcp_socket=_tcp(found),
        grpc=_grpc(found, app),
        exec_=ExecActionArgs(command=list(found.exec.command)) if found.exec else None,
        initial_delay_seconds=found.initial_delay_seconds,
        period_seconds=found.period_seconds,
        timeout_seconds=found.timeout_seconds,
        failure_threshold=found.failure_threshold,
        success_threshold=found.success_threshold,
    )


def switched_off(app: BaseApp) -> dict[str, str]:
    """Annotations of the Deployment that say which probes are off, and why: for reviewers."""
    container = app.app
    if not isinstance(container, WebAppContainer | WorkerContainer):
        return {}
    return {
        probe_off(name): found.reason or ""
        for name, found in given(container.probes).items()
        if not found.enabled
    }


def _http(found: Probe) -> HTTPGetActionArgs | None:
    if not found.path:
        return None
    return HTTPGetActionArgs(path=found.path, port=found.port or MAIN)


def _tcp(found: Probe) -> TCPSocketActionArgs | None:
    if not found.tcp:
        return None
    return TCPSocketActionArgs(port=found.tcp.port or MAIN)


def _grpc(found: Probe, app: BaseApp) -> GRPCActionArgs | None:
    if not found.grpc:
        return None
    # A name of a port is not possible here (Kubernetes: GRPCAction).
    port = found.grpc.port or app.ports[MAIN]
    return GRPCActionArgs(port=port, service=found.grpc.service or None)
