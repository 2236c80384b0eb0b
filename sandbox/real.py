"""The servers that `make servers` started, as the providers use them."""

import threading

from binaries.console import UserError
from clients import administrator
from clients.http import RefusedError, UnreachableError
from clients.kubeconfig import KubeconfigError
from clients.kubernetes import Cluster
from clients.local_servers import Servers
from clients.openbao import OpenBao
from sandbox.answers import unanswered
from sandbox.package import RealServer
from sandbox.real_kubernetes import RealKubernetes
from sandbox.real_openbao import RealOpenBao


def connect(servers: Servers, cancelled: threading.Event) -> dict[str, RealServer]:
    """The servers by package name; once `cancelled` is set, they no longer wait for anything.

    Raises UserError, at once, if one of them does not answer.
    """
    try:
        _ask(administrator.cluster(servers, retries=0), administrator.openbao(servers, retries=0))
        cluster = administrator.cluster(servers)
    except KubeconfigError as error:
        raise UserError(f"{servers.kubeconfig}: {error}; `make servers` writes it again.") from None
    return {
        "kubernetes": RealKubernetes(cluster, cancelled),
        "vault": RealOpenBao(administrator.openbao(servers), cancelled),
    }


def _ask(cluster: Cluster, openbao: OpenBao) -> None:
    """Whether they run, are ready, and accept the credentials."""
    questions = {
        "The API server": lambda: cluster.call("GET", "readyz"),
        "OpenBao": lambda: openbao.call("GET", "auth/token/lookup-self"),
    }
    for server, question in questions.items():
        try:
            question()
        except UnreachableError as silence:
            raise UserError(f"{unanswered(server, silence)} {WITHOUT}") from None
        except RefusedError as refusal:
            advice = "`make servers` starts it again."
            raise UserError(f"{server} at {refusal}; {advice} {WITHOUT}") from None


WITHOUT = "To do without servers: `make servers-down`."
