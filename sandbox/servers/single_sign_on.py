"""Keycloak, and the logins of the API server and OpenBao, set up as in docs/access.md."""

from pathlib import Path

import yaml

from binaries import keycloak
from clients.keycloak import Keycloak, person
from clients.kubernetes import Object
from clients.openbao import REDIRECT, OpenBao
from sandbox.servers.parts import KEYCLOAK, Command, Parts

REALM = Path(__file__).with_name("realm.yaml")
OBJECTS = Path(__file__).with_name("keycloak.yaml")
ADMIN = "sandbox"  # a client that administers the server
NAME_PREFIX = "oidc:"  # what the API server puts before the names of people and groups
OPENBAO_ROLE = "people"
SOMEBODY = "petra"  # of the realm's users

_TOKEN_MINUTES = 60


class SingleSignOn:
    """Keycloak, and how the other servers use it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._distribution: keycloak.Distribution | None = None

    def get(self) -> None:
        """Provide the program; raise UserError if that is not possible."""
        self._distribution = keycloak.distribution()

    def command(self) -> Command:
        """Its command line, after `get`."""
        assert self._distribution
        keys = self._parts.keys
        database = self._parts.folder / KEYCLOAK / "database"
        return self._distribution.start(
            f"--hostname={self._parts.address(KEYCLOAK)}",
            "--http-host=127.0.0.1",
            f"--https-port={self._parts.ports[KEYCLOAK]}",
            f"--https-certificate-file={keys.server_cert}",
            f"--https-certificate-key-file={keys.server_key}",
            "--cache=local",
            f"--db-url=jdbc:h2:file:{database};NON_KEYWORDS=VALUE",
        )

    def environment(self) -> dict[str, str]:
        """Its secret settings, which it uses only at its first start."""
        return {
            "KC_BOOTSTRAP_ADMIN_CLIENT_ID": ADMIN,
            "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": self._parts.keys.sign_on()["admin"],
        }

    def for_clients(self) -> dict[str, str]:
        """Exported beside the other servers' addresses, with the names that providers use."""
        return {
            "KEYCLOAK_URL": self._parts.address(KEYCLOAK),
            "KEYCLOAK_CLIENT_ID": ADMIN,
            "KEYCLOAK_CLIENT_SECRET": self._parts.keys.sign_on()["admin"],
        }

    def check(self) -> None:
        """Raise UnreachableError or RefusedError until it answers."""
        self.server().ready()

    def create_realm(self) -> None:
        """Create the realm with its groups, people and clients, unless it exists."""
        secrets = self._parts.keys.sign_on()
        realm: Object = yaml.safe_load(REALM.read_text(encoding="utf-8"))
        for user in realm["users"]:
            user |= person(user["username"], secrets["people"])
        for client in realm["clients"]:
            if not client["publicClient"]:
                client["secret"] = secrets["openbao"]
        self.server().create_realm(realm)

    def server(self) -> Keycloak:
        """A client with an administrator's rights."""
        client = ADMIN, self._parts.keys.sign_on()["admin"]
        return Keycloak(self._parts.address(KEYCLOAK), client, self._parts.keys.ca_cert, retries=0)

    def let_people_into_openbao(self, openbao: OpenBao) -> None:
        """Set up the login of OpenBao."""
        if "oidc/" not in (openbao.read("sys/auth") or {}):
            openbao.call("POST", "sys/auth/oidc", {"type": "oidc"})
        configuration = {
            "oidc_discovery_url": self.server().issuer,
            "oidc_discovery_ca_pem": self._parts.keys.ca_cert.read_text("ascii"),
            "oidc_client_id": "openbao",
            "oidc_client_secret": self._parts.keys.sign_on()["openbao"],
            "default_role": OPENBAO_ROLE,
        }
        openbao.call("POST", "auth/oidc/config", configuration)
        role = {
            "role_type": "oidc",
            "user_claim": "sub",
            "groups_claim": "groups",
            "allowed_redirect_uris": [REDIRECT],
            "token_ttl": f"{_TOKEN_MINUTES}m",
            "token_max_ttl": f"{_TOKEN_MINUTES}m",
        }
        openbao.call("POST", f"auth/oidc/role/{OPENBAO_ROLE}", role)

    def let_people_into_the_cluster(self) -> None:
        """Have the API server accept tokens; it reloads the file when it changes."""
        issuer = {
            "url": self.server().issuer,
            "audiences": ["kubernetes"],
            "certificateAuthority": self._parts.keys.ca_cert.read_text("ascii"),
        }
        mappings = {
            "username": {"claim": "preferred_username", "prefix": NAME_PREFIX},
            "groups": {"claim": "groups", "prefix": NAME_PREFIX},
        }
        self._parts.write_authentication({"issuer": issuer, "claimMappings": mappings})

    def somebodys_token(self) -> str:
        """A token to check that the API server accepts them."""
        return self.server().id_token(SOMEBODY, self._parts.keys.sign_on()["people"])

    def objects(self) -> list[Object]:
        """What the platform's own people may do in the cluster."""
        return list(yaml.safe_load_all(OBJECTS.read_text(encoding="utf-8")))
