"""How Prometheus reads an app's metrics, by the stack's setting, where the mesh demands mTLS."""

import re
from typing import Any

import pytest

from tests.conftest import Program
from tests.program import (
    ARCHETYPES,
    CRON_JOB,
    DEPLOYMENT,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    SERVICE,
    SERVICE_MONITOR,
    Made,
    one_of_each,
    worker,
)

MONITORED = "serviceMonitor: {enabled: true, path: /m}"
# The port on which each archetype serves its metrics, and that port's name in its Service.
SERVED = {
    "web-app": (8080, "http"),
    "worker": (9090, "http-metrics"),
    "cronjob": (9090, "http-metrics"),
}
EACH = pytest.mark.parametrize("archetype", ARCHETYPES)


def _endpoint(made: Made, archetype: str) -> dict[str, Any]:
    (endpoint,) = made.one(SERVICE_MONITOR, f"team-alpha/{archetype}").spec["endpoints"]
    return endpoint


def _annotations(made: Made, archetype: str) -> dict[str, str]:
    kind = CRON_JOB if archetype == "cronjob" else DEPLOYMENT
    return made.one(kind, f"team-alpha/{archetype}").pod_template["metadata"]["annotations"]


def _opened_to_prometheus(made: Made, archetype: str) -> list[int]:
    rules = made.one(NETWORK_POLICY, f"team-alpha/{archetype}").spec["ingress"]
    return [
        port["port"]
        for rule in rules
        if "monitoring" in str(rule["from"])
        for port in rule["ports"]
    ]


@EACH
def test_by_default_prometheus_reads_them_from_the_sidecar(
    program: Program, archetype: str
) -> None:
    made = program(one_of_each(MONITORED))
    port, name = SERVED[archetype]
    endpoint = _endpoint(made, archetype)
    assert (endpoint["port"], endpoint["path"]) == (name, "/stats/prometheus")
    assert not {"scheme", "tlsConfig"} & endpoint.keys()
    assert _opened_to_prometheus(made, archetype) == [15020]
    # The sidecar's agent reads the app's own from these.
    told = {key: value for key, value in _annotations(made, archetype).items() if "prom" in key}
    assert told == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port),
        "prometheus.io/path": "/m",
        "prometheus.istio.io/merge-metrics": "true",
    }


@pytest.mark.parametrize(
    ("address", "scraped"),
    [("10.0.0.7:8080", "10.0.0.7:15020"), ("[fd00::7]:9090", "[fd00::7]:15020")],
)
def test_the_pod_s_address_gets_the_sidecar_s_port(
    program: Program, address: str, scraped: str
) -> None:
    (relabelling,) = _endpoint(program(worker()), "consumer")["relabelings"]
    assert relabelling["action"] == "replace"
    assert relabelling["sourceLabels"] == [relabelling["targetLabel"]] == ["__address__"]
    found = re.fullmatch(relabelling["regex"], address)
    assert found
    assert relabelling["replacement"].replace("${1}", found[1]) == scraped


@pytest.mark.parametrize(
    ("metric", "dropped"),
    [
        ("envoy_cluster_upstream_cx_total", True),
        ("istio_requests_total", True),
        ("istio_request_duration_milliseconds_bucket", True),
        ("istio_response_bytes_sum", True),
        ("istio_tcp_sent_bytes_total", True),
        ("istio_build", True),
        ("istio_agent_scrape_failures_total", False),
        ("http_requests_total", False),
        ("my_envoy_total", False),
    ],
)
def test_the_proxy_s_own_metrics_are_left_to_the_platform(
    program: Program, metric: str, dropped: bool
) -> None:
    (relabelling,) = _endpoint(program(worker()), "consumer")["metricRelabelings"]
    assert (relabelling["action"], relabelling["sourceLabels"]) == ("drop", ["__name__"])
    assert bool(re.fullmatch(relabelling["regex"], metric)) is dropped


@EACH
def test_a_prometheus_in_the_mesh_reads_them_from_the_app_with_istio_s_certificate(
    program: Program, archetype: str
) -> None:
    made = program(one_of_each(MONITORED), metrics={"scrape": "mesh", "certificates": "/certs"})
    port, name = SERVED[archetype]
    assert _endpoint(made, archetype) == {
        "port": name,
        "path": "/m",
        "interval": "30s",
        "scheme": "https",
        "tlsConfig": {
            "caFile": "/certs/root-cert.pem",
            "certFile": "/certs/cert-chain.pem",
            "keyFile": "/certs/key.pem",
            "insecureSkipVerify": True,
        },
    }
    assert _opened_to_prometheus(made, archetype) == [port]
    assert not [key for key in _annotations(made, archetype) if "prom" in key]


@EACH
def test_where_mtls_is_not_strict_it_reads_them_from_the_app_plainly(
    program: Program, archetype: str
) -> None:
    made = program(one_of_each(MONITORED), metrics={"scrape": "plain"})
    port, name = SERVED[archetype]
    assert _endpoint(made, archetype) == {"port": name, "path": "/m", "interval": "30s"}
    assert _opened_to_prometheus(made, archetype) == [port]
    assert not [key for key in _annotations(made, archetype) if "prom" in key]


@pytest.mark.parametrize("scrape", ["merged", "mesh", "plain"])
def test_the_mesh_s_services_are_the_same_in_each_way(program: Program, scrape: str) -> None:
    made = program(one_of_each(MONITORED), metrics={"scrape": scrape})
    ports = {
        name: [(port["name"], port["port"]) for port in made.one(SERVICE, name).spec["ports"]]
        for name in made.names(SERVICE)
    }
    assert ports == {
        "team-alpha/web-app": [("http", 8080)],
        "team-alpha/worker-metrics": [("http-metrics", 9090)],
        "team-alpha/cronjob-metrics": [("http-metrics", 9090)],
    }


@EACH
def test_the_sidecar_of_an_app_without_monitoring_merges_nothing(
    program: Program, archetype: str
) -> None:
    made = program(one_of_each("serviceMonitor: {enabled: false}"))
    assert not [key for key in _annotations(made, archetype) if "prom" in key]


@EACH
def test_the_sidecar_starts_before_the_app_and_ends_after_it(
    program: Program, archetype: str
) -> None:
    annotations = _annotations(program(one_of_each()), archetype)
    assert annotations["sidecar.istio.io/nativeSidecar"] == "true"


def test_monitors_and_rules_have_the_labels_by_which_prometheus_selects_them(
    program: Program,
) -> None:
    alerts = "alerts: [{name: Down, expr: up == 0}]"
    keys = f"{MONITORED}\n{alerts}"
    labels = {"release": "monitoring", "example.com/tier": ""}
    plain, made = program(one_of_each(keys)), program(one_of_each(keys), metrics={"labels": labels})
    for each in plain.of_package("kubernetes"):
        added = labels if each.type in (SERVICE_MONITOR, PROMETHEUS_RULE) else {}
        now = made.one(each.type, each.name)
        assert now.metadata == each.metadata | ({"labels": each.labels | added} if added else {})
