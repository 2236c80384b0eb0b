"""The kubectl commands that the program shows, run as they are."""

import json
import shlex

from clients.kubernetes import Cluster

_VERSIONS = {
    "cronjob": "batch/v1",
    "deployment": "apps/v1",
    "horizontalpodautoscaler": "autoscaling/v2",
    "networkpolicy": "networking.k8s.io/v1",
    "poddisruptionbudget": "policy/v1",
    "service": "v1",
    "serviceaccount": "v1",
    "servicemonitor": "monitoring.coreos.com/v1",
    "virtualservice": "networking.istio.io/v1",
}


def kubectl(cluster: Cluster, command: str) -> None:
    """`patch KIND NAME --type json -p ...` and `delete KIND/NAME ...` or `delete KIND NAME`."""
    program, verb, *words = shlex.split(command)
    assert program == "kubectl"
    options: dict[str, str] = {}
    names: list[str] = []
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            options[word] = words.pop(0)
        else:
            names.append(word)
    namespace = options["-n"]
    if verb == "patch":
        kind, name = names
        assert options["--type"] == "json"
        path = _path(cluster, kind, namespace, name)
        change = json.loads(options["-p"])
        cluster.call("PATCH", path, change, None, "application/json-patch+json")
    else:
        assert verb == "delete"
        pairs = [name.split("/") for name in names] if "/" in names[0] else [names]
        for kind, name in pairs:
            # As kubectl does it: the pods of a Deployment go after it.
            background = {"propagationPolicy": "Background"}
            cluster.call("DELETE", _path(cluster, kind, namespace, name), background)


def _path(cluster: Cluster, kind: str, namespace: str, name: str) -> str:
    version = _VERSIONS[kind]
    proper = next(each for each in cluster.served(version) if each.lower() == kind)
    return cluster.path(version, proper, namespace, name)
