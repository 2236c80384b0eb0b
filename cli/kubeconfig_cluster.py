"""The cluster that the reader's kubeconfig names, for commands that only read it."""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from cli.stack_options import ROOT, StackFiles

if TYPE_CHECKING:
    from clients.kubernetes import Cluster

# Ends a command that gets no answer.
MISTAKE = 2

# How far back what the cluster reports counts, unless the reader says otherwise.
SINCE = timedelta(hours=24)


def cluster(stack: StackFiles) -> "Cluster":
    """That of the kubeconfig; of `make servers`, if the environment names none.

    Raises KubeconfigError.
    """
    from clients.kubernetes import Cluster
    from clients.local_servers import running

    servers = None if os.environ.get("KUBECONFIG") or stack.name != "dev" else running(ROOT)
    if servers:
        return Cluster(kubeconfig=servers.kubeconfig, retries=1)
    return Cluster(stack.settings.kubernetes.context, retries=1)


def answered(command: str, run: Callable[[], int]) -> int:
    """What `run` returns; MISTAKE after a line on stderr if the cluster does not answer it."""
    from clients.http import RefusedError, UnreachableError  # with `requests`
    from clients.kubeconfig import KubeconfigError

    try:
        return run()
    except KubeconfigError as error:
        said = f"{str(error).rstrip('.')}; set KUBECONFIG to the file for your cluster"
    except UnreachableError as error:
        said = str(error)
    except RefusedError as refusal:
        do = "log in again" if refusal.status == 401 else "ask the platform team"
        said = f"{refusal}; {do}"
    print(f"./sre {command}: error: {said}", file=sys.stderr)
    return MISTAKE
