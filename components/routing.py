"""How traffic reaches an app: its Service, and an Istio VirtualService for traffic from outside."""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Service, ServicePortArgs, ServiceSpecArgs

from components.http_routes import http_routes
from components.metadata import Place, app_labels, app_selector, object_meta
from specs.app import METRICS_SUFFIX, BaseApp, WebApp
from specs.ingress import ALL
from specs.ports import MAIN, METRICS
from specs.settings import Settings
from specs.shared_hosts import carved_out, gateway
from specs.team import Team

# Name of a Service's port, to which a ServiceMonitor refers. Istio derives the protocol from the
# part before the "-" (Istio: Protocol Selection, IST0118).
METRICS_SERVICE_PORT = "http-metrics"

# The provider would wait until the Service has ready pods, which an app with zero replicas never
# gets. For others, the Deployment already waits for the pods (pulumi-kubernetes:
# pulumi.com/skipAwait).
_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


def web_service(team: Team, app: WebApp, place: Place) -> Service:
    """`<app.name>`, ClusterIP on `app.servicePort` or `app.port` (guide: sre-web-app).

    To Istio, `appProtocol` comes before the name; a port named `http` needs none.
    """
    main = app.app.protocol
    protocols = {MAIN: None if main == "http" else main}
    protocols |= {each.name: each.protocol for each in app.app.ports}
    numbers = {**app.ports, MAIN: app.service_port}
    ports = [
        ServicePortArgs(
            name=service_port_name(app, name),
            port=numbers[name],
            target_port=name,
            protocol="TCP",
            app_protocol=protocol,
        )
        for name, protocol in protocols.items()
    ]
    return _service(team, app, place, app.name, ports)


def service_port_name(app: WebApp, name: str) -> str:
    """The Service's name for a port of the container: for the main one, what is spoken there."""
    return app.app.protocol if name == MAIN else name


def metrics_service(team: Team, app: BaseApp, place: Place, port: int) -> Service:
    """`<app.name>-metrics`, headless: gives Prometheus the pods' addresses and takes no traffic."""
    return _service(
        team,
        app,
        place,
        app.name + METRICS_SUFFIX,
        [
            ServicePortArgs(
                name=METRICS_SERVICE_PORT, port=port, target_port=METRICS, protocol="TCP"
            )
        ],
        cluster_ip="None",
    )


def _service(
    team: Team,
    app: BaseApp,
    place: Place,
    name: str,
    ports: Sequence[ServicePortArgs],
    cluster_ip: str | None = None,
) -> Service:
    return Service(
        place.name(name),
        metadata=object_meta(place, name, app_labels(team, app), _SKIP_AWAIT),
        spec=ServiceSpecArgs(
            type="ClusterIP",
            cluster_ip=cluster_ip,
            selector=app_selector(app),
            ports=ports,
        ),
        opts=place.options,
    )


def virtual_service(
    team: Team,
    app: WebApp,
    place: Place,
    settings: Settings,
    depends_on: Sequence[pulumi.Resource],
) -> CustomResource:
    """`<app.name>`: requests for the app's hosts at its gateway (guide: ingress).

    They go to its Service, and for longer paths that other apps of the team serve, to theirs.
    """
    own = [(app, path) for path in app.ingress.every_path]
    return CustomResource(
        place.name(app.name),
        api_version="networking.istio.io/v1",
        kind="VirtualService",
        metadata=object_meta(place, app.name, app_labels(team, app)),
        spec={
            "hosts": list(app.ingress.every_host),
            "gateways": [gateway(app, settings)],
            "http": http_routes(
                [
                    (each.ingress, path, destination(team, each))
                    for each, path in (*own, *carved_out(team, app, settings))
                ]
            ),
        },
        opts=place.with_options(depends_on=depends_on),
    )


def destination(team: Team, app: WebApp) -> dict[str, Any]:
    """The app's Service, as a VirtualService's destination."""
    return {"host": host(team, app), "port": {"number": app.service_port}}


def host(team: Team, app: BaseApp) -> str:
    """Name of the app's Service in the cluster."""
    return f"{app.name}.{team.name}.svc.cluster.local"


def address(team: Team, app: WebApp) -> str:
    """Name and port of the app's Service in the cluster."""
    return f"{host(team, app)}:{app.service_port}"


def urls(app: WebApp) -> list[str]:
    """Addresses of the app from outside, for each host and path; a whole host comes first."""
    if not app.ingress.enabled:
        return []
    prefixes = [path.prefix for path in app.ingress.every_path]
    return [
        f"https://{host}{'' if prefix == ALL else prefix}"
        for host in app.ingress.every_host
        for prefix in sorted(prefixes, key=ALL.__ne__)
    ]


def outside(urls: Sequence[str]) -> dict[str, Any]:
    """`urls` as outputs: the first as `url`, and all of them if there are several."""
    return {
        **({"url": urls[0]} if urls else {}),
        **({"urls": list(urls)} if len(urls) > 1 else {}),
    }
