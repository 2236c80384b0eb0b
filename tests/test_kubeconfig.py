"""The API server and its CA, as a kubeconfig names them."""

from base64 import b64encode
from pathlib import Path

import pytest

from clients.kubeconfig import ApiServer, KubeconfigError, api_server
from clients.kubernetes import Cluster

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KUBECONFIG = f"""
current-context: here
contexts:
  - {{name: there, context: {{cluster: far, user: admin}}}}
  - {{name: here, context: {{cluster: near, user: admin}}}}
clusters:
  - name: far
    cluster: {{server: https://far:6443, certificate-authority: ca.pem}}
  - name: near
    cluster:
      server: https://near:6443
      certificate-authority-data: {b64encode(PEM.encode()).decode()}
users:
  - {{name: admin, user: {{token: hunter2}}}}
"""


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


def test_the_current_context_is_taken_unless_another_is_named(kubeconfig: Path) -> None:
    (kubeconfig.parent / "ca.pem").write_text("far's CA")
    assert api_server(None) == ApiServer("https://near:6443", PEM)
    assert api_server("there") == ApiServer("https://far:6443", "far's CA")


def test_all_files_of_a_list_are_read_and_missing_ones_skipped(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kubeconfig.parent / "first"
    first.write_text("current-context: there\n")
    (kubeconfig.parent / "ca.pem").write_text("far's CA")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{kubeconfig.parent / 'missing'}:{kubeconfig}")
    assert api_server(None).host == "https://far:6443"
    assert Cluster().address == "https://far:6443"


def test_the_users_own_kubeconfig_is_read_where_none_is_named(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(kubeconfig.parent))
    (kubeconfig.parent / ".kube").mkdir()
    kubeconfig.rename(kubeconfig.parent / ".kube" / "config")
    assert api_server(None).host == "https://near:6443"


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("current-context: here", ""),
        ("current-context: here", "current-context: nowhere"),
        ("server: https://near:6443", "proxy: x"),
        ("certificate-authority-data: ", "insecure-skip-tls-verify: "),
        (b64encode(PEM.encode()).decode(), "not base64"),
        (KUBECONFIG, ""),
        (KUBECONFIG, "- ["),
    ],
)
def test_a_kubeconfig_without_address_or_ca_is_refused_in_one_line(
    kubeconfig: Path, what: str, instead: str
) -> None:
    assert what in KUBECONFIG
    kubeconfig.write_text(KUBECONFIG.replace(what, instead))
    with pytest.raises(KubeconfigError) as error:
        api_server(None)
    message = str(error.value)
    assert message.startswith(f"{kubeconfig} does not name the API server and its CA")
    assert "\n" not in message
    assert "hunter2" not in message


def test_a_missing_kubeconfig_is_refused_in_one_line(kubeconfig: Path) -> None:
    kubeconfig.unlink()
    with pytest.raises(KubeconfigError, match="does not name the API server"):
        api_server(None)
