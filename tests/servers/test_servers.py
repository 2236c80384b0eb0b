"""`make servers`: what then runs, and how it is started, mended and stopped."""

import os
import re
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster
from clients.local_servers import running
from clients.openbao import OpenBao
from sandbox.servers import parts
from sandbox.servers.processes import Process
from tests.checkouts import Checkout, finished
from tests.servers.conftest import (
    BUILT_WITHIN,
    WITHIN,
    cluster_of,
    left_running,
    openbao_of,
    record_of,
    sourced,
    until,
)

pytestmark = pytest.mark.servers

ALL = parts.STORES + parts.CONTROLLERS
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "kept", "namespace": "default"},
    "data": {"key": "value"},
}


def pids(checkout: Checkout) -> dict[str, int | None]:
    folder = record_of(checkout).folder
    return {name: Process(folder, name).pid for name in ALL}


def kill(checkout: Checkout, *names: str) -> None:
    for name in names:
        Process(record_of(checkout).folder, name).send(signal.SIGKILL)
    until(lambda: not any(pids(checkout)[name] for name in names))


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "main", "image": "registry.invalid/main:1"}]}
    restart = {"restartPolicy": "Never"} if kind == "Job" else {}
    template = {"metadata": {"labels": {"app": "probe"}}, "spec": pod | restart}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"template": template, **spec},
    }


def test_the_api_server_and_openbao_answer(cluster: Cluster, openbao: OpenBao) -> None:
    assert cluster.call("GET", "readyz") == "ok"
    assert openbao.call("GET", "sys/health")["sealed"] is False


def test_a_deployment_becomes_available(cluster: Cluster) -> None:
    selector = {"matchLabels": {"app": "probe"}}
    cluster.create(workload("Deployment", replicas=2, selector=selector))
    path = cluster.path("apps/v1", "Deployment", "default", "probe")
    try:
        until(lambda: cluster.call("GET", path)["status"].get("availableReplicas") == 2)
    finally:
        cluster.delete("apps/v1", "Deployment", "default", "probe")
    until(lambda: not cluster.list("v1", "Pod", "default"))


def test_a_job_completes(cluster: Cluster) -> None:
    cluster.create(workload("Job"))
    path = cluster.path("batch/v1", "Job", "default", "probe")
    try:
        until(lambda: cluster.call("GET", path)["status"].get("succeeded") == 1)
    finally:
        cluster.delete("batch/v1", "Job", "default", "probe")
    until(lambda: not cluster.list("v1", "Pod", "default"))


def test_every_version_of_the_custom_resources_is_served(cluster: Cluster) -> None:
    for version in ("v1", "v1beta1"):
        kinds = {"ExternalSecret", "SecretStore", "ClusterSecretStore"}
        assert kinds <= cluster.served(f"external-secrets.io/{version}").keys()
    for version in ("v1", "v1beta1", "v1alpha3"):
        kinds = {"VirtualService", "Gateway"}
        assert kinds <= cluster.served(f"networking.istio.io/{version}").keys()
    assert cluster.served("external-secrets.io/v1alpha1").keys() == {"PushSecret"}
    kinds = {"ServiceMonitor", "PrometheusRule"}
    assert cluster.served("monitoring.coreos.com/v1").keys() == kinds


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "misspelt"),
    [
        ("external-secrets.io/v1", "ExternalSecret", {"data": []}, {"refreshIntervall": "1h"}),
        ("external-secrets.io/v1beta1", "ExternalSecret", {"data": []}, {"refreshed": "1h"}),
        ("networking.istio.io/v1", "VirtualService", {"hosts": ["a.b"]}, {"gateway": ["mesh"]}),
        (
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            {"endpoints": [], "selector": {}},
            {"jobLable": "app"},
        ),
    ],
)
def test_a_misspelt_field_of_a_custom_resource_is_refused(
    cluster: Cluster, api_version: str, kind: str, spec: dict[str, Any], misspelt: dict[str, Any]
) -> None:
    object = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": spec,
    }
    cluster.apply(object, "test", dry_run=True)
    with pytest.raises(RefusedError, match=next(iter(misspelt))):
        cluster.create({**object, "spec": spec | misspelt}, dry_run=True)
    with pytest.raises(RefusedError, match=next(iter(misspelt))):
        cluster.apply({**object, "spec": spec | misspelt}, "test", dry_run=True)


def test_editors_may_write_custom_resources_and_viewers_read_them(cluster: Cluster) -> None:
    for group in ("external-secrets.io", "networking.istio.io", "monitoring.coreos.com"):
        for role, verbs in (("edit", {"create", "get"}), ("view", {"get"})):
            found = cluster.get("rbac.authorization.k8s.io/v1", "ClusterRole", None, role)
            rules = [rule for rule in (found or {})["rules"] if group in rule["apiGroups"]]
            granted = {verb for rule in rules for verb in rule["verbs"]}
            assert granted & {"create", "get"} == verbs


def test_openbao_verifies_a_service_account_with_the_api_server(
    servers: Checkout, cluster: Cluster, openbao: OpenBao
) -> None:
    reviewers = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "probe"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:auth-delegator",
        },
        "subjects": [
            {"kind": "ServiceAccount", "namespace": "default", "name": "default"},
        ],
    }
    config = {
        "kubernetes_host": cluster.address,
        "kubernetes_ca_cert": record_of(servers).ca_cert.read_text(encoding="utf-8"),
        "token_reviewer_jwt": cluster.token("default", "default"),
    }
    role = {
        "bound_service_account_names": "external-secrets",
        "bound_service_account_namespaces": "external-secrets",
    }
    cluster.apply(reviewers, "test")
    reviewer = cluster.with_token(config["token_reviewer_jwt"])
    until(lambda: reviewer.may("create", "authentication.k8s.io", "tokenreviews"))
    openbao.call("POST", "sys/auth/probe", {"type": "kubernetes"})
    try:
        openbao.call("POST", "auth/probe/config", config)
        openbao.call("POST", "auth/probe/role/probe", role)
        token = cluster.token("external-secrets", "external-secrets")
        assert openbao.login("probe", token, "probe").read("auth/token/lookup-self")
        with pytest.raises(RefusedError):
            openbao.login("probe", cluster.token("default", "default"), "probe")
        with pytest.raises(RefusedError):
            openbao.login("probe", token[:-8] + "AAAAAAAA", "probe")
    finally:
        openbao.call("DELETE", "sys/auth/probe")
        cluster.delete("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", None, "probe")


def test_the_environment_file_is_all_that_kubectl_bao_and_pulumi_need(servers: Checkout) -> None:
    record = record_of(servers)
    found = sourced(servers)
    assert found["KUBECONFIG"] == str(record.kubeconfig)
    for tool in ("BAO", "VAULT"):
        assert found[f"{tool}_ADDR"] == record.environment["BAO_ADDR"]
        assert found[f"{tool}_TOKEN"] == record.environment["BAO_TOKEN"]
        assert Path(found[f"{tool}_CACERT"]).is_file()
    assert Path(urlsplit(found["PULUMI_BACKEND_URL"]).path).is_dir()
    assert Path(found["PULUMI_CONFIG_PASSPHRASE_FILE"]).is_file()


def test_harbor_is_left_out_unless_the_environment_names_one(servers: Checkout) -> None:
    assert sourced(servers)["SRE_PLATFORM_LEAVE_OUT"] == "harbor"
    assert "SRE_PLATFORM_LEAVE_OUT" not in sourced(servers, HARBOR_URL="https://harbor.invalid")


def test_no_other_user_can_read_what_the_servers_keep(servers: Checkout) -> None:
    folder = record_of(servers).folder
    assert folder.stat().st_mode & 0o077 == 0
    secret = [folder / "kubeconfig", folder / "environment", *(folder / "keys").iterdir()]
    assert {file.stat().st_mode & 0o077 for file in secret} == {0}


def test_a_second_start_says_that_they_run_and_starts_nothing(servers: Checkout) -> None:
    before = pids(servers)
    run = servers.run("servers")
    assert run.code == 0
    assert "The servers are already running" in run.output
    assert "Starting" not in run.output
    assert pids(servers) == before

    record = record_of(servers)
    assert f"KUBECONFIG={record.kubeconfig}" in run.output
    assert f"BAO_ADDR={record.environment['BAO_ADDR']}" in run.output
    assert record.environment["BAO_TOKEN"] not in run.output


@pytest.mark.parametrize(
    ("killed", "started"),
    [
        # An API server would take minutes to notice that its etcd is there again.
        ([parts.ETCD], [parts.ETCD, parts.API_SERVER]),
        ([parts.OPENBAO], [parts.OPENBAO]),
        (list(parts.CONTROLLERS), list(parts.CONTROLLERS)),
    ],
)
def test_what_was_killed_is_started_again_with_its_data(
    servers: Checkout, killed: list[str], started: list[str]
) -> None:
    cluster_of(servers).apply(CONFIG_MAP, "test")
    openbao_of(servers).call("PUT", "cubbyhole/kept", {"key": "value"})
    before, environment = pids(servers), record_of(servers).environment
    kill(servers, *killed)

    run = servers.run("servers")
    assert run.code == 0, run.output
    assert f"Started again {', '.join(started)} " in run.output
    assert {name for name, pid in pids(servers).items() if pid != before[name]} == set(started)
    assert record_of(servers).environment == environment
    assert cluster_of(servers).get("v1", "ConfigMap", "default", "kept")
    assert openbao_of(servers).read("cubbyhole/kept") == {"key": "value"}


def test_stopping_leaves_no_process_and_keeps_the_data(servers: Checkout) -> None:
    cluster_of(servers).apply(CONFIG_MAP, "test")
    openbao_of(servers).call("PUT", "cubbyhole/kept", {"key": "value"})
    assert len(left_running(servers)) == len(ALL)

    run = servers.run("servers-down")
    assert run.code == 0, run.output
    assert left_running(servers) == []
    assert running(servers.folder) is None

    run = servers.run("servers")
    assert run.code == 0, run.output
    assert cluster_of(servers).get("v1", "ConfigMap", "default", "kept")
    assert openbao_of(servers).read("cubbyhole/kept") == {"key": "value"}


def test_a_server_whose_port_was_taken_is_named_and_all_are_stopped(servers: Checkout) -> None:
    address = record_of(servers).environment["BAO_ADDR"]
    kill(servers, parts.OPENBAO)
    try:
        with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
            run = servers.run("servers")
        assert run.code == 1
        assert "openbao has ended; all servers are stopped" in run.output
        assert "address already in use" in run.output
        assert left_running(servers) == []
        assert running(servers.folder) is None
    finally:
        again = servers.run("servers")
    assert again.code == 0, again.output


def test_a_program_that_ends_at_once_is_named_and_nothing_is_left(
    fresh: Checkout, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "kwok"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo kwok version v0.8.0 && exit\necho no nodes today\n'
    )
    program.chmod(0o755)
    run = fresh.run("servers", PATH=f"{program.parent}:{os.environ['PATH']}")
    assert run.code == 1
    assert "kwok has ended; all servers are stopped" in run.output
    assert "no nodes today" in run.output
    assert left_running(fresh) == []
    assert running(fresh.folder) is None


@pytest.mark.parametrize(
    ("number", "during"), [(signal.SIGINT, parts.ETCD), (signal.SIGTERM, parts.SCHEDULER)]
)
def test_a_start_that_is_cut_short_leaves_nothing(
    fresh: Checkout, number: signal.Signals, during: str
) -> None:
    process = fresh.start("servers")
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if line == f"Starting {during} ...\n":
            break
    else:
        pytest.fail(f"{during} was not started:\n{seen}")
    process.send_signal(number)
    rest = finished(process, WITHIN)
    assert rest.code == 130, seen + rest.output
    assert rest.output.splitlines()[-1] == "Interrupted; what was started has been stopped."
    assert left_running(fresh) == []
    assert running(fresh.folder) is None


def test_two_first_starts_at_once_start_each_server_once_and_say_so(fresh: Checkout) -> None:
    both = [fresh.start("servers") for _ in range(2)]
    runs = [finished(process, BUILT_WITHIN) for process in both]
    assert [run.code for run in runs] == [0, 0], runs
    said = "".join(run.output for run in runs)
    assert said.count("Starting etcd") == 1
    started = r"^Started etcd, .*, kube-apiserver, .* in \d+ s\.$"
    assert len(re.findall(started, said, re.MULTILINE)) == 1, said
    assert len(left_running(fresh)) == len(ALL)


def test_stopping_where_nothing_runs_says_so(tmp_path: Path) -> None:
    run = Checkout(tmp_path / "checkout").run("servers-down")
    assert run.code == 0
    assert run.output == "No servers are running here.\n"


def test_a_part_that_does_not_exist_is_refused_with_those_that_do(fresh: Checkout) -> None:
    run = fresh.run("servers", PARTS="external-secrets,mesh")
    assert run.code == 1
    assert run.output == (
        "PARTS: no part 'mesh'; use some of external-secrets, prometheus, istio, kyverno, node, "
        "packets, keycloak, or all or none.\n"
    )
