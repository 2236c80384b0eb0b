"""How the sandbox sets up Keycloak and the servers that take its logins; tests/parts runs it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.http import RefusedError
from clients.keycloak import Keycloak
from sandbox.servers.keys import Keys
from sandbox.servers.parts import KEYCLOAK, Parts
from sandbox.servers.single_sign_on import OBJECTS, REALM, SingleSignOn
from specs.fleet import TeamsFolder, load_stack
from specs.stack_file import read_stack
from tests.fake_server import FakeServer, serving
from tests.program import ROOT

PAGE = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
MADE: dict[str, Any] = yaml.safe_load(REALM.read_text(encoding="utf-8"))


def blocks_of_page() -> list[Any]:
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.fixture
def servers(tmp_path: Path) -> Parts:
    servers = Parts(tmp_path)
    servers.prepare(keep_ports=False)
    return servers


def authentication(servers: Parts) -> dict[str, Any]:
    file = servers.folder / "keys" / "authentication.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_the_realm_has_every_group_of_the_shipped_teams_and_a_person_in_it() -> None:
    settings, _ = read_stack(ROOT, "dev")
    assert settings
    teams = load_stack(TeamsFolder(ROOT / "tenants", "tenants"), settings).teams
    wanted = {group for team in teams for group in team.groups}
    assert wanted
    assert wanted <= {group["name"] for group in MADE["groups"]}
    members = {path.strip("/") for person in MADE["users"] for path in person["groups"]}
    assert wanted <= members


def test_everybody_is_in_a_default_group() -> None:
    """OpenBao refuses a token that names none."""
    (everybody,) = MADE["defaultGroups"]
    assert all(everybody in person["groups"] for person in MADE["users"])


def test_the_page_has_the_mapper_of_the_sandbox_s_clients() -> None:
    told = dict(re.findall(r"\| `([a-z.]+): (\w+)` \|$", PAGE, re.MULTILINE))
    assert told
    for client in MADE["clients"]:
        (mapper,) = client["protocolMappers"]
        assert mapper["config"] == told
        assert client["standardFlowEnabled"]
        assert not client["directAccessGrantsEnabled"]
        for address in client["redirectUris"]:
            assert f"`{address}`" in PAGE


def test_the_page_has_the_configuration_of_the_sandbox_s_api_server(servers: Parts) -> None:
    SingleSignOn(servers).let_people_into_the_cluster()
    (told,) = (block for block in blocks_of_page() if "jwt" in block)
    issuer = told["jwt"][0]["issuer"]
    issuer["url"] = f"{servers.address(KEYCLOAK)}/realms/sre"
    issuer["certificateAuthority"] = servers.keys.ca_cert.read_text("ascii")
    assert authentication(servers) == told


def test_the_page_s_prefixes_are_those_of_the_platform_s_own_people() -> None:
    (told,) = (block["config"] for block in blocks_of_page() if "config" in block)
    prefix = told["sre-platform:kubernetes"]["groupPrefix"]
    (binding,) = yaml.safe_load_all(OBJECTS.read_text(encoding="utf-8"))
    assert [one["name"] for one in binding["subjects"]] == [f"{prefix}platform-engineers"]


def test_without_keycloak_the_api_server_takes_nobody_s_tokens(servers: Parts) -> None:
    servers.write_authentication()
    assert authentication(servers)["jwt"] == []


def test_secrets_are_drawn_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    drawn = Keys(tmp_path).sign_on()
    assert len(set(drawn.values())) == 3
    assert Keys(tmp_path).sign_on() == drawn
    assert (tmp_path / "keys" / "keycloak.json").stat().st_mode & 0o077 == 0


@pytest.fixture
def pages(keys: Keys) -> Iterator[FakeServer]:
    with serving(keys) as fake:
        yield fake


def keycloak(fake: FakeServer, keys: Keys) -> Keycloak:
    return Keycloak(fake.address, ("admin", "secret"), keys.ca_cert, retries=0)


def test_a_realm_that_exists_is_left_alone(pages: FakeServer, keys: Keys) -> None:
    token = {"access_token": "t", "expires_in": 60}
    pages.answers |= {
        "POST /realms/master/protocol/openid-connect/token": (200, token),
        "GET /admin/realms/sre": (200, {"realm": "sre"}),
    }
    keycloak(pages, keys).create_realm({"realm": "sre"})
    assert "POST /admin/realms" not in pages.asked

    pages.answers["GET /admin/realms/sre"] = (404, {"error": "Realm not found."})
    pages.answers["POST /admin/realms"] = (201, {})
    keycloak(pages, keys).create_realm({"realm": "sre"})
    assert "POST /admin/realms" in pages.asked


def test_what_keycloak_says_is_the_reason(pages: FakeServer, keys: Keys) -> None:
    said = {"error": "invalid_client", "error_description": "Invalid client credentials"}
    pages.answers["POST /realms/master/protocol/openid-connect/token"] = (401, said)
    with pytest.raises(RefusedError, match="answered 401: Invalid client credentials"):
        keycloak(pages, keys).call("GET", "users")
