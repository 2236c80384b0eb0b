"""What the stack's secret store could hand to a team: logs in as External Secrets does.

https://external-secrets.io/latest/provider/hashicorp-vault/#kubernetes-authentication
"""

from clients.kubernetes import Cluster
from clients.openbao import OpenBao
from tools.isolation.requests import (
    Attempt,
    Request,
    Scene,
    admin_is_not_refused,
)
from tools.isolation.samples import OTHERS_SECRET, OWN_SECRET, Object
from tools.isolation.target_kinds import STORE
from tools.isolation.verdict import ALLOWED, BY_OPENBAO


def log_in(store: Object, cluster: Cluster, openbao: OpenBao) -> OpenBao:
    """Log in with the ServiceAccount and role in the (Cluster)SecretStore.

    `cluster` must be allowed to get the account's token; `openbao` is the server at the store's
    address.
    """
    kubernetes = store["spec"]["provider"]["vault"]["auth"]["kubernetes"]
    account = kubernetes["serviceAccountRef"]
    # A SecretStore may name none, and is limited to its own namespace.
    namespace = account.get("namespace") or store["metadata"]["namespace"]
    token = cluster.token(namespace, account["name"])
    return openbao.login(kubernetes["role"], token, kubernetes["mountPath"])


def hands_out(secret: str) -> Request:
    """Read what an ExternalSecret calls `secret`, through the teams' store."""

    def request(scene: Scene) -> object:
        admin = scene.admin
        store = scene.found(STORE, "{store_namespace}")
        vault = store["spec"]["provider"]["vault"]
        server = OpenBao(vault["server"], None, admin.ca_cert)
        with admin_is_not_refused():
            openbao = log_in(store, admin.cluster, server)
        mount = vault["path"]
        path = f"{mount}/data/{scene.filled(secret).removeprefix(f'{mount}/')}"
        admin.must_know(path, "GET")
        return openbao.call("GET", path)

    return request


_OWN = Attempt("hand out a secret of the team", ALLOWED, hands_out(OWN_SECRET))

# It reads for all teams: the policy sre-secrets restricts the paths in a team's ExternalSecrets.
SHARED_STORE_CHECKS = (
    _OWN,
    Attempt("hand out another team's secret", ALLOWED, hands_out(OTHERS_SECRET)),
)
TEAM_STORE_CHECKS = (
    _OWN,
    Attempt("hand out another team's secret", BY_OPENBAO, hands_out(OTHERS_SECRET)),
)
