"""A worker: a Deployment without inbound traffic, and metrics on a separate port."""

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
    worker,
)

IT = "team-alpha/consumer"
SELECTOR = {"app.kubernetes.io/name": "consumer", "app.kubernetes.io/instance": "consumer"}


def test_a_worker_consists_of_what_the_guide_lists_and_its_monitoring(program: Program) -> None:
    made = program(worker())
    app = str(made.one(APP, IT))
    assert {one.type for one in made.resources if one.parent == app} == {
        DEPLOYMENT,
        SERVICE,
        SERVICE_ACCOUNT,
        DISRUPTION_BUDGET,
        NETWORK_POLICY,
        SERVICE_MONITOR,
        PROMETHEUS_RULE,
        CONFIG_MAP,
    }


def test_its_only_service_is_headless_and_for_metrics(program: Program) -> None:
    made = program(worker())
    assert made.names(SERVICE) == [f"{IT}-metrics"]
    service = made.one(SERVICE, f"{IT}-metrics")
    assert service.metadata["name"] == "consumer-metrics"
    assert service.spec == {
        "type": "ClusterIP",
        "clusterIP": "None",
        "selector": SELECTOR,
        "ports": [
            {"name": "http-metrics", "port": 9090, "targetPort": "metrics", "protocol": "TCP"}
        ],
    }


def test_prometheus_finds_the_metrics_port_through_that_service(program: Program) -> None:
    made = program(worker("serviceMonitor: {port: 8081, path: /stats, interval: 15s}"))
    monitor = made.one(SERVICE_MONITOR, IT).spec
    assert monitor["selector"] == {"matchLabels": SELECTOR}
    (endpoint,) = monitor["endpoints"]
    assert (endpoint["port"], endpoint["interval"]) == ("http-metrics", "15s")
    service = made.one(SERVICE, f"{IT}-metrics")
    assert SELECTOR.items() <= service.labels.items()
    assert service.spec["ports"][0]["port"] == 8081
    container = made.one(DEPLOYMENT, IT).container
    assert container["ports"] == [{"name": "metrics", "containerPort": 8081, "protocol": "TCP"}]


def test_without_monitoring_it_has_no_service_and_no_port(program: Program) -> None:
    made = program(worker("serviceMonitor: {enabled: false}"))
    assert made.names(SERVICE) == made.names(SERVICE_MONITOR) == []
    assert "ports" not in made.one(DEPLOYMENT, IT).container


def test_it_has_no_autoscaler_by_default(program: Program) -> None:
    made = program(worker())
    assert made.names(AUTOSCALER) == []
    assert made.one(DEPLOYMENT, IT).spec["replicas"] == 2


def test_with_an_autoscaler_the_deployment_sets_no_number(program: Program) -> None:
    made = program(worker("autoscaling: {enabled: true, minReplicas: 3}\napp: {replicas: 4}"))
    assert made.one(AUTOSCALER, IT).spec["minReplicas"] == 3
    assert made.one(AUTOSCALER, IT).spec["scaleTargetRef"]["name"] == "consumer"
    assert "replicas" not in made.one(DEPLOYMENT, IT).spec


def test_its_replicas_can_be_set(program: Program) -> None:
    assert program(worker("app: {replicas: 3}")).one(DEPLOYMENT, IT).spec["replicas"] == 3


def test_without_probes_kubernetes_watches_only_the_process(program: Program) -> None:
    container = program(worker()).one(DEPLOYMENT, IT).container
    assert "livenessProbe" not in container
    assert "readinessProbe" not in container


def test_it_is_probed_by_commands(program: Program) -> None:
    keys = """
    app:
      probes:
        liveness: {exec: {command: [/bin/sh, -c, "pgrep -f '[w]orker' || exit 1"]}}
        readiness: {exec: {command: [/ready]}, initialDelaySeconds: 3, periodSeconds: 4}
    """
    container = program(worker(keys)).one(DEPLOYMENT, IT).container
    assert container["livenessProbe"] == {
        "exec": {"command": ["/bin/sh", "-c", "pgrep -f '[w]orker' || exit 1"]},
        "initialDelaySeconds": 10,
        "periodSeconds": 30,
    }
    assert container["readinessProbe"] == {
        "exec": {"command": ["/ready"]},
        "initialDelaySeconds": 3,
        "periodSeconds": 4,
    }


def test_one_pod_stays_while_nodes_are_drained(program: Program) -> None:
    budget = program(worker()).one(DISRUPTION_BUDGET, IT)
    assert budget.spec == {"minAvailable": 1, "selector": {"matchLabels": SELECTOR}}


def test_the_disruption_budget_can_be_off(program: Program) -> None:
    made = program(worker("podDisruptionBudget: {enabled: false}"))
    assert made.names(DISRUPTION_BUDGET) == []
