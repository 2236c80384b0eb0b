"""Which hosts mean one another, and which are the platform's own."""

from pathlib import Path

import pytest

from specs.hosts import covers, host_of, overlap
from tests.written import accepted, app, place, reported, settings

OWN = {
    "harbor": {"host": "registry.sre.internal:5000", "url": "https://Harbor.SRE.internal:8443/ui"},
    "openbao": {
        "address": "https://vault.sre.example.com.:8200",
        "clusterAddress": "https://bao.vault-system.svc.cluster.local:8200",
    },
    "platformHosts": ("grafana.sre.example.com", "*.ops.example.com", "Login.Example.com."),
}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.example.com", "a.example.com"),
        ("A.Example.com", "a.example.com."),
        ("a.example.com", "*.example.com"),
        ("a.b.example.com", "*.example.com"),
        ("*.b.example.com", "*.example.com"),
        ("*.example.com", "*.EXAMPLE.com."),
    ],
)
def test_hosts_overlap_whichever_is_wider(one: str, other: str) -> None:
    assert overlap(one, other)
    assert overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.example.com", "b.example.com"),
        ("example.com", "*.example.com"),
        ("aexample.com", "*.example.com"),
        ("*.a.example.com", "*.b.example.com"),
        ("*.xample.com", "*.example.com"),
    ],
)
def test_other_hosts_do_not_overlap(one: str, other: str) -> None:
    assert not overlap(one, other)
    assert not overlap(other, one)


def test_a_wildcard_covers_what_is_below_it_and_no_name_covers_a_wildcard() -> None:
    assert covers("*.example.com", "*.a.example.com")
    assert covers("*.example.com", "a.example.com")
    assert not covers("*.a.example.com", "*.example.com")
    assert not covers("a.example.com", "*.a.example.com")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://Harbor.sre.internal:8443/ui?x", "harbor.sre.internal"),
        ("harbor.sre.internal:5000", "harbor.sre.internal"),
        ("https://openbao.sre.internal.", "openbao.sre.internal"),
        ("https://[fd00::1]:8200", "fd00::1"),
        ("https://[fd00::1", ""),
        ("https://:8200", ""),
    ],
)
def test_the_host_of_an_address(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("registry.sre.internal", "harbor.host"),
        ("harbor.sre.internal", "harbor.url"),
        ("vault.sre.example.com", "openbao.address"),
        ("bao.vault-system", "openbao.clusterAddress"),
        ("docker.io", "istio.proxyImage"),
        ("registry.istio.io", "istio.proxyImage"),
        ("grafana.sre.example.com", "platformHosts"),
        ("login.example.com", "platformHosts"),
        ("a.b.ops.example.com", "platformHosts: *.ops.example.com"),
    ],
)
def test_a_host_of_the_platform_is_refused_for_an_app(
    tmp_path: Path, host: str, named: str
) -> None:
    image = "{repository: registry.sre.internal:5000/team-alpha/my-api, tag: v1.0.0}"
    text, where = place(app(beside=f"ingress: {{enabled: true, host: «{host}}}", image=image))
    assert reported(tmp_path, text, **OWN) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].ingress.host: '{host}' is reserved for "
        f"the platform (sre-platform:{named}); choose another"
    ]


@pytest.mark.parametrize(
    ("host", "namespace"),
    [
        ("kubernetes.default", "default"),
        ("kube-dns.kube-system", "kube-system"),
        ("prometheus.monitoring", "monitoring"),
        ("istiod.istio-system", "istio-system"),
    ],
)
def test_a_service_of_the_platform_is_refused_as_an_app_s_host(
    tmp_path: Path, host: str, namespace: str
) -> None:
    text, where = place(app(beside=f"ingress: {{enabled: true, host: «{host}}}"))
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].ingress.host: '{host}' is the name of a Service "
        f"in the platform's namespace '{namespace}'; write the host name that users call, such as "
        "my-api.apps.sre.example.com"
    ]


@pytest.mark.parametrize("host", ["harbor.sre.internal.example.com", "ops.example.com"])
def test_other_hosts_are_accepted_for_an_app(tmp_path: Path, host: str) -> None:
    own = {**OWN, "harbor": {}}
    accepted(tmp_path, app(beside=f"ingress: {{enabled: true, host: {host}}}"), **own)


def test_the_namespace_of_the_control_plane_cannot_be_a_team_s(tmp_path: Path) -> None:
    istio = {"controlPlane": {"namespace": "mesh"}}
    (problem,) = reported(tmp_path, "team: mesh\n", "mesh", istio=istio)
    assert problem.endswith("'mesh' is a namespace of the platform; choose another name")


def test_the_namespace_of_openbao_s_address_in_the_cluster_cannot_be_a_team_s(
    tmp_path: Path,
) -> None:
    assert "vault-system" in settings(**OWN).platform_namespaces
    (problem,) = reported(tmp_path, "team: vault-system\n", "vault-system", **OWN)
    assert problem.endswith("'vault-system' is a namespace of the platform; choose another name")
