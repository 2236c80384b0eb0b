"""How traffic reaches an app: its Service, and an Istio VirtualService for traffic from outside."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Service, ServicePortArgs, ServiceSpecArgs

from components.metadata import Place, app_labels, app_selector, object_meta
from specs.app import HTTP, METRICS, METRICS_SUFFIX, BaseApp, WebApp
from specs.settings import Settings
from specs.team import Team

# Names of a Service's ports, to which a ServiceMonitor refers. Istio derives the protocol from the
# part before the "-" (Istio: Protocol Selection, IST0118).
HTTP_SERVICE_PORT, METRICS_SERVICE_PORT = "http", "http-metrics"

# The provider would wait until the Service has ready pods, which an app with zero replicas never
# gets. For others, the Deployment already waits for the pods (pulumi-kubernetes:
# pulumi.com/skipAwait).
_SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


def web_service(team: Team, app: WebApp, place: Place) -> Service:
    """`<app.name>`, ClusterIP on `app.port` (guide: sre-web-app)."""
    return _service(
        team,
        app,
        place,
        app.name,
        ServicePortArgs(
            name=HTTP_SERVICE_PORT, port=app.app.port, target_port=HTTP, protocol="TCP"
        ),
    )


def metrics_service(team: Team, app: BaseApp, place: Place, port: int) -> Service:
    """`<app.name>-metrics`, headless: gives Prometheus the pods' addresses and takes no traffic."""
    return _service(
        team,
        app,
        place,
        app.name + METRICS_SUFFIX,
        ServicePortArgs(name=METRICS_SERVICE_PORT, port=port, target_port=METRICS, protocol="TCP"),
        cluster_ip="None",
    )


def _service(
    team: Team,
    app: BaseApp,
    place: Place,
    name: str,
    port: ServicePortArgs,
    cluster_ip: str | None = None,
) -> Service:
    return Service(
        place.name(name),
        metadata=object_meta(place, name, app_labels(team, app), _SKIP_AWAIT),
        spec=ServiceSpecArgs(
            type="ClusterIP",
            cluster_ip=cluster_ip,
            selector=app_selector(app),
            ports=[port],
        ),
        opts=place.options,
    )


def virtual_service(
    team: Team, app: WebApp, place: Place, gateway: str, depends_on: Sequence[pulumi.Resource]
) -> CustomResource:
    """`<app.name>`: requests for `ingress.host` at `gateway` go to the Service (guide: ingress)."""
    return CustomResource(
        place.name(app.name),
        api_version="networking.istio.io/v1",
        kind="VirtualService",
        metadata=object_meta(place, app.name, app_labels(team, app)),
        spec={
            "hosts": [app.ingress.host],
            "gateways": [gateway],
            "http": [
                {
                    "route": [
                        {
                            "destination": {
                                "host": host(team, app),
                                "port": {"number": app.app.port},
                            }
                        }
                    ]
                }
            ],
        },
        opts=place.with_options(depends_on=depends_on),
    )


def gateway(app: BaseApp, settings: Settings) -> str | None:
    """The gateway ("namespace/name") for traffic to the app from outside, if any."""
    if not isinstance(app, WebApp) or not app.ingress.enabled:
        return None
    return app.ingress.gateway or settings.istio.gateways[0]


def host(team: Team, app: BaseApp) -> str:
    """Name of the app's Service in the cluster."""
    return f"{app.name}.{team.name}.svc.cluster.local"


def address(team: Team, app: WebApp) -> str:
    """Name and port of the app's Service in the cluster."""
    return f"{host(team, app)}:{app.app.port}"
