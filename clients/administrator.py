"""The servers of a checkout, as their administrator sees them."""

from clients.keycloak import Keycloak
from clients.kubernetes import Cluster
from clients.local_servers import Servers
from clients.openbao import OpenBao


def cluster(servers: Servers, retries: int = 4) -> Cluster:
    """Return the cluster; raise KubeconfigError."""
    return Cluster(kubeconfig=servers.kubeconfig, retries=retries)


def openbao(servers: Servers, retries: int = 4) -> OpenBao:
    """Return OpenBao, with the root token."""
    address, token = servers.environment["VAULT_ADDR"], servers.environment["VAULT_TOKEN"]
    return OpenBao(address, token, servers.ca_cert, retries=retries)


def keycloak(servers: Servers, retries: int = 4) -> Keycloak | None:
    """Return Keycloak; None if it does not run."""
    address = servers.environment.get("KEYCLOAK_URL")
    if not address:
        return None
    client = (
        servers.environment["KEYCLOAK_CLIENT_ID"],
        servers.environment["KEYCLOAK_CLIENT_SECRET"],
    )
    return Keycloak(address, client, servers.ca_cert, retries)
