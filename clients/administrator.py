"""The servers of a checkout, as their administrator sees them."""

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
