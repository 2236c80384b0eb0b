"""A web-app: Deployment, Service, scaling, disruption budget and the way in from outside."""

import pytest

from tests.conftest import Program
from tests.program import (
    APP,
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    VIRTUAL_SERVICE,
    web_app,
)

IT = "team-alpha/my-api"
SELECTOR = {"app.kubernetes.io/name": "my-api", "app.kubernetes.io/instance": "my-api"}
OUTSIDE = "{enabled: true, host: my-api.apps.sre.example.com}"


def test_a_web_app_consists_of_what_the_guide_lists_and_its_monitoring(program: Program) -> None:
    made = program(web_app())
    app = str(made.one(APP, IT))
    assert {one.type for one in made.resources if one.parent == app} == {
        DEPLOYMENT,
        SERVICE,
        SERVICE_ACCOUNT,
        AUTOSCALER,
        DISRUPTION_BUDGET,
        NETWORK_POLICY,
        SERVICE_MONITOR,
        PROMETHEUS_RULE,
        CONFIG_MAP,
    }


def test_its_service_is_a_cluster_ip_on_the_app_s_port(program: Program) -> None:
    service = program(web_app("app: {port: 3000}")).one(SERVICE, IT)
    assert service.metadata["name"] == "my-api"
    assert service.spec == {
        "type": "ClusterIP",
        "selector": SELECTOR,
        "ports": [{"name": "http", "port": 3000, "targetPort": "http", "protocol": "TCP"}],
    }


def test_its_container_listens_on_the_port_that_the_service_names(program: Program) -> None:
    container = program(web_app("app: {port: 3000}")).one(DEPLOYMENT, IT).container
    assert container["ports"] == [{"name": "http", "containerPort": 3000, "protocol": "TCP"}]
    default = program(web_app()).one(DEPLOYMENT, IT).container
    assert default["ports"][0]["containerPort"] == 8080


def test_it_is_probed_over_http_at_the_guide_s_paths_and_times(program: Program) -> None:
    container = program(web_app()).one(DEPLOYMENT, IT).container
    assert container["livenessProbe"] == {
        "httpGet": {"path": "/healthz", "port": "http"},
        "initialDelaySeconds": 10,
        "periodSeconds": 10,
    }
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/readyz", "port": "http"},
        "initialDelaySeconds": 5,
        "periodSeconds": 5,
    }


def test_its_probes_can_be_set(program: Program) -> None:
    keys = """
    app:
      probes:
        liveness: {path: /alive, initialDelaySeconds: 0, periodSeconds: 1}
        readiness: {path: /, initialDelaySeconds: 7}
    """
    container = program(web_app(keys)).one(DEPLOYMENT, IT).container
    assert container["livenessProbe"] == {
        "httpGet": {"path": "/alive", "port": "http"},
        "initialDelaySeconds": 0,
        "periodSeconds": 1,
    }
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/", "port": "http"},
        "initialDelaySeconds": 7,
        "periodSeconds": 5,
    }


def test_it_scales_between_two_and_ten_pods_at_eighty_per_cent_of_its_container_s_cpu(
    program: Program,
) -> None:
    made = program(web_app())
    scaler = made.one(AUTOSCALER, IT)
    assert scaler.inputs["apiVersion"] == "autoscaling/v2"
    assert scaler.spec == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "my-api"},
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "my-api",
                    "target": {"type": "Utilization", "averageUtilization": 80},
                },
            }
        ],
    }
    assert str(made.one(DEPLOYMENT, IT)) in scaler.depends_on


def test_its_scaling_can_be_set(program: Program) -> None:
    keys = "autoscaling: {minReplicas: 3, maxReplicas: 4, targetCPUUtilization: 55}"
    spec = program(web_app(keys)).one(AUTOSCALER, IT).spec
    target = spec["metrics"][0]["containerResource"]["target"]["averageUtilization"]
    assert (spec["minReplicas"], spec["maxReplicas"], target) == (3, 4, 55)


def test_with_an_autoscaler_the_deployment_sets_no_number(program: Program) -> None:
    spec = program(web_app("app: {replicas: 7}")).one(DEPLOYMENT, IT).spec
    assert "replicas" not in spec


@pytest.mark.parametrize(("keys", "replicas"), [("", 2), ("app: {replicas: 5}", 5)])
def test_without_an_autoscaler_the_deployment_sets_the_number(
    program: Program, keys: str, replicas: int
) -> None:
    made = program(web_app(f"{keys}\nautoscaling: {{enabled: false}}"))
    assert made.names(AUTOSCALER) == []
    assert made.one(DEPLOYMENT, IT).spec["replicas"] == replicas


def test_one_pod_stays_while_nodes_are_drained(program: Program) -> None:
    budget = program(web_app()).one(DISRUPTION_BUDGET, IT)
    assert budget.spec == {"minAvailable": 1, "selector": {"matchLabels": SELECTOR}}


def test_the_disruption_budget_can_be_a_percentage_or_off(program: Program) -> None:
    share = program(web_app("podDisruptionBudget: {minAvailable: 50%}"))
    assert share.one(DISRUPTION_BUDGET, IT).spec["minAvailable"] == "50%"
    assert program(web_app("podDisruptionBudget: {enabled: false}")).names(DISRUPTION_BUDGET) == []


def test_without_ingress_the_app_is_not_reachable_from_outside(program: Program) -> None:
    assert program(web_app()).names(VIRTUAL_SERVICE) == []


def test_ingress_sends_requests_for_the_host_to_the_service(program: Program) -> None:
    made = program(web_app(f"app: {{port: 3000}}\ningress: {OUTSIDE}"))
    route = made.one(VIRTUAL_SERVICE, IT)
    assert route.metadata["name"] == "my-api"
    assert route.spec == {
        "hosts": ["my-api.apps.sre.example.com"],
        "gateways": ["istio-system/sre-gateway"],
        "http": [
            {
                "route": [
                    {
                        "destination": {
                            "host": "my-api.team-alpha.svc.cluster.local",
                            "port": {"number": 3000},
                        }
                    }
                ]
            }
        ],
    }
    assert str(made.one(SERVICE, IT)) in route.depends_on


def test_ingress_uses_the_stack_s_first_gateway_unless_the_app_names_another(
    program: Program,
) -> None:
    istio = {"gateways": ["edge/public", "edge/partners"]}
    first = program(web_app(f"ingress: {OUTSIDE}"), istio=istio)
    assert first.one(VIRTUAL_SERVICE, IT).spec["gateways"] == ["edge/public"]
    named = OUTSIDE.replace("}", ", gateway: edge/partners}")
    other = program(web_app(f"ingress: {named}"), istio=istio)
    assert other.one(VIRTUAL_SERVICE, IT).spec["gateways"] == ["edge/partners"]


def test_prometheus_finds_its_pods_through_its_service(program: Program) -> None:
    monitor = program(web_app()).one(SERVICE_MONITOR, IT).spec
    assert monitor["selector"] == {"matchLabels": SELECTOR}
    (endpoint,) = monitor["endpoints"]
    assert (endpoint["port"], endpoint["interval"]) == ("http", "30s")


def test_it_serves_on_while_callers_learn_that_its_pod_ends(program: Program) -> None:
    container = program(web_app()).one(DEPLOYMENT, IT).container
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
