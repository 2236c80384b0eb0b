"""What the environment has for the program: the CA that secret stores are given."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from sandbox.servers.keys import Keys
from specs.environment import complaints, store_ca_cert
from specs.settings import Settings
from tests.conftest import Program
from tests.program import SECRET_STORE, TENANT_STORE, web_app


def settings(**keys: Any) -> Settings:
    return Settings.model_validate(
        {
            "sre-platform:teams": "*",
            "sre-platform:platform": True,
            "sre-platform:manage": {"harbor": False},
            "sre-platform:kubernetes": {"clusterIdentifier": "test"},
            "sre-platform:openbao": {"address": "https://bao.example.com", **keys},
        }
    )


OUTSIDE = settings(inCluster=False)


def test_the_ca_that_the_program_verifies_openbao_with_is_the_store_s_too(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = keys.ca_cert.read_text()
    file = tmp_path / "ca.pem"
    file.write_text(f"a private key that stands here by mistake\n{certificate}subject: us\n")
    monkeypatch.setenv("VAULT_CACERT", str(file))
    assert store_ca_cert(OUTSIDE) == certificate
    assert list(complaints(OUTSIDE)) == []


def test_without_one_the_operator_s_own_trust_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_CACERT", raising=False)
    assert store_ca_cert(OUTSIDE) is None


@pytest.mark.parametrize(
    "elsewhere",
    [
        {},
        {"inCluster": False, "clusterAddress": "https://bao.internal"},
        {"inCluster": False, "clusterCaCert": "the stack's own"},
    ],
)
def test_it_is_not_used_for_another_address_or_instead_of_the_stack_s(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, elsewhere: dict[str, Any]
) -> None:
    monkeypatch.setenv("VAULT_CACERT", str(keys.ca_cert))
    assert store_ca_cert(settings(**elsewhere)) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read; name a file with the CA's certificate"),
        (b"\xff\xfe", "cannot be read; name a file with the CA's certificate"),
        (
            b"no certificate",
            "contains no PEM certificate; name a file with the CA's certificate",
        ),
    ],
)
def test_a_file_that_is_not_a_ca_is_reported_before_anything_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("VAULT_CACERT", str(file))
    (complaint,) = complaints(OUTSIDE)
    assert complaint == ("openbao", f"VAULT_CACERT: {file} {said}")


@pytest.mark.parametrize("store", ["cluster", "tenant"])
def test_each_kind_of_store_has_the_stack_s_ca(program: Program, store: str) -> None:
    made = program(
        web_app(),
        platform=True,
        openbao={"clusterCaCert": "PEM"},
        externalSecrets={"secretStore": store},
    )
    (found,) = made.all(TENANT_STORE if store == "tenant" else SECRET_STORE)
    assert b64decode(found.spec["provider"]["vault"]["caBundle"]) == b"PEM"


def test_what_is_rendered_does_not_depend_on_the_environment(keys: Keys, program: Program) -> None:
    made = program(
        web_app(),
        platform=True,
        openbao={"inCluster": False},
        environment={"VAULT_CACERT": str(keys.ca_cert)},
    )
    (store,) = made.all(SECRET_STORE)
    assert "caBundle" not in store.spec["provider"]["vault"]
