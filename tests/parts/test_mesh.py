"""What a real istiod makes of teams' pods and routes, on servers started with `PARTS=istio`."""

import json
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import permutations
from threading import Event, Thread
from typing import Any

import pytest

from binaries import istio
from clients.http import Http, RefusedError
from clients.kubernetes import Cluster, Object
from sandbox.servers import container_node, parts
from sandbox.servers.processes import Process, stop
from specs.capacity import RESOURCES, capacity
from specs.fleet import TeamsFolder
from specs.load import load_team
from specs.quantity import parse
from specs.stack_file import read_stack
from tests.checkouts import Checkout, Run, finished
from tests.conftest import Program
from tests.optional import available
from tests.program import VIRTUAL_SERVICE, merged, web_app
from tests.servers.conftest import (
    cluster_of,
    impatient_up,
    record_of,
    start,
    stopped_at_the_end,
    until,
)

pytestmark = pytest.mark.parts

ALPHA, BETA = "team-alpha", "team-beta"
MESH = "istio-system"
ROUTES = "networking.istio.io/v1"
HOST, NOBODYS = "my-api.apps.sre.example.com", "nobody.apps.sre.example.com"
MOVING = "moving.apps.sre.example.com"
CPUS = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "256Mi"}}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose stack is up on servers with Istio."""
    available(istio.envoy)
    with stopped_at_the_end(Checkout(tmp_path_factory.mktemp("mesh") / "checkout")) as checkout:
        start(checkout, "istio")
        checkout.up()
        yield checkout


@pytest.fixture
def cluster(mesh: Checkout) -> Cluster:
    return cluster_of(mesh)


def pods(cluster: Cluster, team: str, app: str) -> list[Object]:
    return [
        pod
        for pod in cluster.list("v1", "Pod", team)
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") == app
    ]


def pod_of(cluster: Cluster, kind: tuple[str, str], app: str, team: str = ALPHA) -> Object:
    """A pod as the workload would make it."""
    live = cluster.get(*kind, team, app)
    assert live
    spec = live["spec"]
    template = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]
    metadata = {**template["metadata"], "name": "tried", "namespace": team}
    metadata.pop("creationTimestamp", None)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def as_controller(cluster: Cluster) -> Cluster:
    """The identity that creates a Deployment's pods: guardrails let an administrator pass."""
    return cluster.impersonating("system:serviceaccount:kube-system:replicaset-controller")


DEPLOYMENT, CRON_JOB = ("apps/v1", "Deployment"), ("batch/v1", "CronJob")


def doctor(checkout: Checkout) -> Run:
    arguments = [sys.executable, "-m", "cli", "doctor", "--stack", "dev"]
    run = finished(checkout.start_program(arguments, {"PATH": os.defpath}), 120)
    return Run(run.code, " ".join(run.output.split()))  # the table breaks its lines


def sidecar(pod: Object) -> Object:
    (found,) = [one for one in pod["spec"]["initContainers"] if one["name"] == "istio-proxy"]
    return found


@pytest.mark.parametrize(
    ("kind", "team", "app"),
    [
        (DEPLOYMENT, ALPHA, "my-api"),
        (DEPLOYMENT, BETA, "order-processor"),
        (CRON_JOB, BETA, "nightly-report"),
    ],
)
def test_every_pod_gets_a_native_sidecar_of_the_stack_s_size(
    cluster: Cluster, kind: tuple[str, str], team: str, app: str
) -> None:
    made = cluster.create(pod_of(cluster, kind, app, team), dry_run=True)
    assert [one["name"] for one in made["spec"]["containers"]] == [app]
    proxy = sidecar(made)
    assert proxy["restartPolicy"] == "Always"
    assert proxy["resources"] == CPUS
    assert proxy["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_steps_run_in_the_mesh_and_the_sidecar_keeps_its_own_user(cluster: Cluster) -> None:
    pod = pod_of(cluster, DEPLOYMENT, "my-api")
    (app,) = pod["spec"]["containers"]
    shared = {key: app[key] for key in ("image", "resources", "securityContext")}
    pod["spec"]["initContainers"] = [
        {"name": name, "command": ["/bin/step"], **shared} for name in ("first", "second")
    ]
    pod["spec"]["securityContext"] |= {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
    made = as_controller(cluster).create(pod, dry_run=True)
    steps = [one["name"] for one in made["spec"]["initContainers"]]
    assert steps[-3:] == ["istio-proxy", "first", "second"]
    proxy = sidecar(made)
    # Until it is ready, the kubelet starts no step.
    assert proxy["startupProbe"]["httpGet"]["path"] == "/healthz/ready"
    assert (proxy["securityContext"]["runAsUser"], proxy["securityContext"]["runAsGroup"]) == (
        1337,
        1337,
    )
    assert made["spec"]["securityContext"]["runAsUser"] == 10001


def test_the_agent_knows_where_the_app_s_metrics_and_probes_are(cluster: Cluster) -> None:
    made = cluster.create(pod_of(cluster, DEPLOYMENT, "my-api"), dry_run=True)
    told = {one["name"]: one.get("value", "") for one in sidecar(made)["env"]}
    asked = json.loads(told["ISTIO_PROMETHEUS_ANNOTATIONS"])
    assert asked == {"scrape": "true", "path": "/metrics", "port": "8080"}
    probed = json.loads(told["ISTIO_KUBE_APP_PROBERS"])["/app-health/my-api/readyz"]
    assert probed["httpGet"] == {"path": "/readyz", "port": 8080, "scheme": "HTTP"}
    (app,) = made["spec"]["containers"]
    assert app["readinessProbe"]["httpGet"]["port"] == 15020


def test_the_agent_makes_every_check_but_that_of_a_command(cluster: Cluster) -> None:
    pod = pod_of(cluster, DEPLOYMENT, "my-api")
    (app,) = pod["spec"]["containers"]
    app["startupProbe"] = {"tcpSocket": {"port": "http"}}
    app["livenessProbe"] = {"grpc": {"port": 9000, "service": "shop"}}
    app["readinessProbe"] = {"exec": {"command": ["/bin/ready"]}}
    made = cluster.create(pod, dry_run=True)
    told = {one["name"]: one.get("value", "") for one in sidecar(made)["env"]}
    probed = json.loads(told["ISTIO_KUBE_APP_PROBERS"])
    assert probed["/app-health/my-api/startupz"]["tcpSocket"] == {"port": 8080}
    assert probed["/app-health/my-api/livez"]["grpc"] == {"port": 9000, "service": "shop"}
    (app,) = made["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe"):
        assert app[probe]["httpGet"]["port"] == 15020
    assert app["readinessProbe"]["exec"] == {"command": ["/bin/ready"]}


def test_the_quota_s_use_is_what_the_program_counts(mesh: Checkout, cluster: Cluster) -> None:
    settings, _ = read_stack(mesh.folder, "dev")
    assert settings
    for file in TeamsFolder(mesh.folder / settings.tenants, settings.tenants).files():
        team = load_team(file, file.name, settings).team
        assert team
        counted = dict(zip(RESOURCES, capacity(team, settings).rest, strict=True))

        def is_used(name: str = team.name, counted: Mapping[str, int] = counted) -> bool:
            (quota,) = cluster.list("v1", "ResourceQuota", name)
            used = quota["status"]["used"]
            return counted == {
                resource: parse(used.get(resource, "0")) * (1000 if resource.endswith("cpu") else 1)
                for resource in RESOURCES
            }

        until(is_used)  # once autoscalers have reached their number of pods


def test_no_team_can_have_another_image_run_as_its_sidecar(cluster: Cluster) -> None:
    pod = pod_of(cluster, DEPLOYMENT, "my-api")
    pod["metadata"]["annotations"]["sidecar.istio.io/proxyImage"] = "docker.io/library/busybox:1"
    with pytest.raises(RefusedError, match="'sre-images' with binding 'sre-images' denied"):
        as_controller(cluster).create(pod, dry_run=True)


def test_the_doctor_sees_pods_with_sidecars(mesh: Checkout) -> None:
    told = doctor(mesh)
    assert told.code == 0, told.output
    assert "ok Kubernetes: sidecars injected in 2 namespaces" in told.output
    assert "ok Kubernetes: pods team-alpha/" in told.output
    assert "ok Kubernetes: istiod app=istiod in istio-system" in told.output


@contextmanager
def changed_injector(cluster: Cluster, **values: Any) -> Iterator[None]:
    """Istio installed with other values."""
    live = cluster.get("v1", "ConfigMap", MESH, "istio-sidecar-injector")
    assert live
    before = live["data"]["values"]
    after = {**json.loads(before)}
    for path, value in values.items():
        *folders, name = path.split("__")
        place = after
        for folder in folders:
            place = place[folder]
        place[name] = value

    def put(text: str) -> None:
        patch = {"data": {"values": text}}
        path = cluster.path_of({"apiVersion": "v1", "kind": "ConfigMap", **live})
        cluster.call("PATCH", path, patch, None, "application/merge-patch+json")

    try:
        put(json.dumps(after))
        yield
    finally:
        put(before)


def admitted(cluster: Cluster) -> str:
    """What the API server says to a pod that a ReplicaSet makes of my-api; empty if admitted."""
    try:
        as_controller(cluster).create(pod_of(cluster, DEPLOYMENT, "my-api"), dry_run=True)
    except RefusedError as refusal:
        return refusal.reason
    return ""


def test_without_istio_cni_pod_security_refuses_every_sidecar_and_the_doctor_says_so(
    mesh: Checkout, cluster: Cluster
) -> None:
    with changed_injector(cluster, pilot__cni__enabled=False):
        until(lambda: admitted(cluster))
        assert 'container "istio-init" must not include "NET_ADMIN"' in admitted(cluster)
        told = doctor(mesh)
        assert told.code == 1
        assert "Pod Security refuses its pod, or the sidecar's containers in it" in told.output
        assert "run istio-cni" in told.output
    until(lambda: not admitted(cluster))


def test_a_sidecar_from_another_registry_is_refused_and_the_doctor_names_the_setting(
    mesh: Checkout, cluster: Cluster
) -> None:
    with changed_injector(cluster, global__hub="mirror.example.com/istio"):
        until(lambda: "sre-images" in admitted(cluster))
        told = doctor(mesh)
        assert told.code == 1
        assert "its sidecar comes from mirror.example.com/istio/proxyv2:1.31.0" in told.output
        assert "set sre-platform:istio.proxyImage in the platform's stack" in told.output
    until(lambda: not admitted(cluster))


@contextmanager
def answering(name: str) -> Iterator[tuple[str, int]]:
    """The address and port of a server that answers with its name and the path, as an app would."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = name + self.path.rstrip("/")
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((own_address(), 0), Answer) as app:
        Thread(target=app.serve_forever, args=(0.01,), daemon=True).start()
        yield str(app.server_address[0]), app.server_port
        app.shutdown()


def endpoints(service: str, namespace: str, address: str, port: int) -> Object:
    """They lead a Service's traffic there."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-here",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def own_address() -> str:
    """This machine's address on a network; no packet is sent."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    pytest.skip("This machine has no address.")


def answer(
    checkout: Checkout, host: str, path: str = "/", shown: str = "", **headers: str
) -> tuple[int, str]:
    """What the gateway answers, by a certificate that is verified: status and body.

    Or the header `shown` in place of the body.
    """
    folder = record_of(checkout).folder
    ports = json.loads((folder / "ports.json").read_text(encoding="utf-8"))
    trust = ssl.create_default_context(cafile=str(folder / "gateway.crt"))
    connection = HTTPSConnection(host, context=trust, timeout=10)
    plain = socket.create_connection(("127.0.0.1", ports[parts.GATEWAY]))
    connection.sock = trust.wrap_socket(plain, server_hostname=host)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    with closing(connection):
        body = response.read().decode()
        return response.status, response.getheader(shown, "") if shown else body


def asked(checkout: Checkout, host: str) -> int:
    return answer(checkout, host)[0]


def configuration(checkout: Checkout) -> list[Mapping[str, Any]]:
    """What Envoy has of istiod, as `istioctl proxy-config` shows it."""
    folder = record_of(checkout).folder
    ports = json.loads((folder / "ports.json").read_text(encoding="utf-8"))
    admin = Http(f"http://127.0.0.1:{ports[parts.GATEWAY_ADMIN]}")
    dump: list[Mapping[str, Any]] = admin.call("GET", "config_dump", {})["configs"]
    return dump


def test_the_gateway_routes_a_host_to_its_app_and_no_other_host(
    mesh: Checkout, cluster: Cluster
) -> None:
    until(lambda: asked(mesh, NOBODYS) == 404)
    until(lambda: asked(mesh, HOST) == 503)  # pods that run nothing
    deployment = cluster.path("apps/v1", "Deployment", ALPHA, "my-api")
    patch = "application/merge-patch+json"
    cluster.call("PATCH", f"{deployment}/scale", {"spec": {"replicas": 0}}, None, patch)
    until(lambda: not pods(cluster, ALPHA, "my-api"))
    with answering("my-api") as (address, port):
        cluster.apply(endpoints("my-api", ALPHA, address, port), "test")
        until(lambda: answer(mesh, HOST) == (200, "my-api"))
        assert asked(mesh, NOBODYS) == 404
        cluster.delete("discovery.k8s.io/v1", "EndpointSlice", ALPHA, "my-api-here")
    cluster.call("PATCH", f"{deployment}/scale", {"spec": {"replicas": 2}}, None, patch)
    until(lambda: len(pods(cluster, ALPHA, "my-api")) == 2)


def test_the_gateway_s_routes_are_those_of_the_teams_files(mesh: Checkout) -> None:
    def routes() -> dict[str, str]:
        return {
            host["domains"][0]: host["routes"][0]["route"]["cluster"]
            for section in configuration(mesh)
            if section["@type"].endswith("RoutesConfigDump")
            for each in section.get("dynamic_route_configs", ())
            for host in each["route_config"].get("virtual_hosts", ())
            if "route" in host["routes"][0]
        }

    until(lambda: HOST in routes())
    assert routes() == {
        HOST: f"outbound|8080||my-api.{ALPHA}.svc.cluster.local",
        "frontend.apps.sre.example.com": f"outbound|3000||frontend.{ALPHA}.svc.cluster.local",
    }


def route(name: str, service: str) -> Object:
    """A VirtualService that leads the host that moves to a Service."""
    destination = {"host": f"{service}.moving.svc.cluster.local", "port": {"number": 80}}
    return {
        "apiVersion": ROUTES,
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "moving"},
        "spec": {
            "hosts": [MOVING],
            "gateways": [f"{MESH}/sre-gateway"],
            "http": [{"route": [{"destination": destination}]}],
        },
    }


def test_a_host_that_moves_from_a_chart_s_route_to_the_app_s_loses_no_request(
    mesh: Checkout, cluster: Cluster
) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "moving"}}, "test")
    port = {"name": "http", "port": 80, "protocol": "TCP"}
    with answering("former") as former, answering("own") as own:
        for name, (address, number) in {"former": former, "own": own}.items():
            metadata = {"name": name, "namespace": "moving"}
            service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
            cluster.apply({**service, "spec": {"ports": [port]}}, "test")
            cluster.apply(endpoints(name, "moving", address, number), "test")
        cluster.apply(route("former", "former"), "test")
        until(lambda: answer(mesh, MOVING) == (200, "former"))

        answers: list[tuple[int, str]] = []
        over = Event()

        def ask() -> None:
            while not over.is_set():
                answers.append(answer(mesh, MOVING))

        with ThreadPoolExecutor() as pool:
            asking = pool.submit(ask)
            # Both say the same; then one is gone; then the other leads elsewhere.
            cluster.apply(route("own", "former"), "test")
            seen = len(answers)
            until(lambda: len(answers) > seen + 50)
            cluster.delete(ROUTES, "VirtualService", "moving", "former")
            seen = len(answers)
            until(lambda: len(answers) > seen + 50)
            cluster.apply(route("own", "own"), "test")
            until(lambda: answers[-1] == (200, "own"))
            over.set()
            asking.result()
    bodies = [body for status, body in answers if status == 200]
    assert len(bodies) == len(answers)
    first = bodies.index("own")
    assert set(bodies[:first]) == {"former"}
    assert set(bodies[first:]) == {"own"}
    cluster.delete("v1", "Namespace", None, "moving")


SHARED, SITE = "shared", "shared.apps.sre.example.com"
SHARING = {
    "shop": "paths: [{prefix: /api}, {prefix: /old, redirect: {uri: /new, redirectCode: 308}}]",
    "shop-v2": (
        "paths: [{prefix: /api/v2, rewrite: {uri: /}}], "
        "cors: {allowOrigins: [{exact: 'https://www.example.com'}]}"
    ),
    "site": "timeout: 5s",
}
ANSWERS = {
    "/": "site",
    "/apix": "site/apix",
    "/api": "shop/api",
    "/api/v1": "shop/api/v1",
    "/api/v22": "shop/api/v22",
    "/api/v2": "shop-v2",
    "/api/v2/": "shop-v2",
    "/api/v2/a/b": "shop-v2/a/b",
}


@pytest.fixture(scope="module")
def sharing(program: Program) -> Mapping[str, Object]:
    """The VirtualServices of three apps that share a host, by app."""
    files = (
        web_app(f"ingress: {{enabled: true, host: {SITE}, {keys}}}", name)
        for name, keys in SHARING.items()
    )
    made = program(merged(*files).replace("team-alpha", SHARED))
    return {name: made.one(VIRTUAL_SERVICE, f"{SHARED}/{name}").inputs for name in SHARING}


@pytest.fixture(scope="module")
def three_apps(mesh: Checkout) -> Iterator[None]:
    """The Services that these route to, and what answers for each."""
    cluster = cluster_of(mesh)
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHARED}}, "test")
    with ExitStack() as stack:
        for name in SHARING:
            metadata = {"name": name, "namespace": SHARED}
            service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
            port = {"name": "http", "port": 8080, "protocol": "TCP"}
            cluster.apply({**service, "spec": {"ports": [port]}}, "test")
            address, number = stack.enter_context(answering(name))
            cluster.apply(endpoints(name, SHARED, address, number), "test")
        yield
    cluster.delete("v1", "Namespace", None, SHARED)


@contextmanager
def routed(
    mesh: Checkout, cluster: Cluster, routes: Mapping[str, Object], order: Sequence[str]
) -> Iterator[None]:
    """The apps' routes, which Istio merges in this order: by age, and then by name."""
    names = {app: f"{number}-{app}" for number, app in enumerate(order)}
    try:
        for app, name in names.items():
            metadata = {"name": name, "namespace": SHARED}
            cluster.apply({**routes[app], "metadata": metadata}, "test")
        until(lambda: answer(mesh, SITE, "/old", "Location") == (308, f"https://{SITE}/new"))
        until(lambda: answer(mesh, SITE, "/api/v3") == (200, "shop/api/v3"))
        until(lambda: answer(mesh, SITE) == (200, "site"))
        yield
    finally:
        for name in names.values():
            cluster.delete(ROUTES, "VirtualService", SHARED, name)
    until(lambda: asked(mesh, SITE) == 404)


@pytest.mark.parametrize("order", list(permutations(SHARING)), ids=" ".join)
def test_of_apps_that_share_a_host_the_longest_prefix_wins_in_any_order(
    mesh: Checkout,
    cluster: Cluster,
    sharing: Mapping[str, Object],
    three_apps: None,
    order: Sequence[str],
) -> None:
    with routed(mesh, cluster, sharing, order):
        until(lambda: answer(mesh, SITE, "/api/v2") == (200, "shop-v2"))
        assert {path: answer(mesh, SITE, path)[1] for path in ANSWERS} == ANSWERS
        origin, told = "https://www.example.com", "Access-Control-Allow-Origin"
        assert answer(mesh, SITE, "/api/v2", told, Origin=origin) == (200, origin)
        assert answer(mesh, SITE, "/api/v2", told, Origin=f"{origin}.org") == (200, "")
        assert answer(mesh, SITE, "/api", told, Origin=origin) == (200, "")


def istiod(checkout: Checkout) -> Process:
    return Process(record_of(checkout).folder, parts.ISTIOD)


def test_without_istiod_pods_and_routes_are_refused_until_it_is_back(
    mesh: Checkout, cluster: Cluster
) -> None:
    gateway = asked(mesh, NOBODYS)
    stop([istiod(mesh)])
    assert asked(mesh, NOBODYS) == gateway  # from the configuration that it has
    assert 'failed calling webhook "namespace.sidecar-injector.istio.io"' in admitted(cluster)
    told = doctor(mesh)
    assert told.code == 1
    assert "a webhook that the API server asks about pods does not answer" in told.output

    assert mesh.run("up").code == 0  # nothing changes, so no webhook is called
    mesh.edit(f"tenants/{ALPHA}.yaml", 'tag: "v1.0.0"', 'tag: "v1.0.1"')
    run = impatient_up(mesh)
    assert run.code != 0
    assert "Deployment team-alpha/my-api: not ready after 3 s: 0 of 2 pods are up" in run.output
    assert 'failed calling webhook "namespace.sidecar-injector.istio.io"' in run.output
    mesh.restore(f"tenants/{ALPHA}.yaml")
    mesh.edit(f"tenants/{ALPHA}.yaml", HOST, "moved.apps.sre.example.com")
    run = mesh.run("up")
    assert run.code != 0
    assert 'failed calling webhook "validation.istio.io"' in run.output

    start(mesh, "istio")
    until(lambda: not admitted(cluster))
    mesh.up()
    until(lambda: asked(mesh, "moved.apps.sre.example.com") == 503)
    until(lambda: asked(mesh, HOST) == 404)
    mesh.restore(f"tenants/{ALPHA}.yaml")
    mesh.up()


def test_servers_that_start_without_istio_do_not_wait_for_it(mesh: Checkout) -> None:
    assert mesh.run("servers-down").code == 0
    start(mesh, "none")
    cluster = cluster_of(mesh)
    assert admitted(cluster) == ""
    assert cluster.list("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration") == []


def test_the_gateway_moves_to_a_node_that_runs_containers_and_back(mesh: Checkout) -> None:
    available(container_node.require)
    start(mesh, "istio")
    until(lambda: asked(mesh, NOBODYS) == 404)
    start(mesh, "node")
    cluster = cluster_of(mesh)
    until(lambda: asked(mesh, NOBODYS) == 404)
    assert not Process(record_of(mesh).folder, parts.GATEWAY).pid
    assert sidecar(cluster.create(pod_of(cluster, DEPLOYMENT, "my-api"), dry_run=True))
    start(mesh, "istio,node")  # does not restart what runs
    assert asked(mesh, NOBODYS) == 404
    assert mesh.run("servers-down").code == 0
    start(mesh, "istio")
    until(lambda: asked(mesh, NOBODYS) == 404)
