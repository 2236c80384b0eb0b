"""The table that `make up` ends with."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from clients.local_servers import Servers
from plain.table import columns

PACKAGES = {"kubernetes": "Kubernetes", "harbor": "Harbor", "vault": "OpenBao"}


def table(resources: list[dict[str, Any]], servers: Servers | None) -> Iterator[str]:
    """Lines: the teams, the apps, each server's number of objects, and how to look at real ones.

    They come from the state's resources. The stack's output `teams` is {team: {lifecycle,
    namespace, registry, openbao, apps}}, and its `apps` is {app: {archetype, address?, url?}}.
    """
    (stack,) = (each for each in resources if each["type"] == "pulumi:pulumi:Stack")
    teams: Mapping[str, Any] = stack["outputs"].get("teams", {})
    yield from columns(
        [("TEAM", "LIFECYCLE", "NAMESPACE", "REGISTRY", "OPENBAO")]
        + [
            (name, t["lifecycle"], t["namespace"], t["registry"], t["openbao"])
            for name, t in teams.items()
        ]
    )
    yield ""
    yield from columns(
        [("TEAM", "APP", "ARCHETYPE", "ADDRESS", "URL")]
        + [
            (name, app, a["archetype"], a.get("address") or "-", a.get("url") or "-")
            for name, team in teams.items()
            for app, a in team["apps"].items()
        ]
    )
    count = Counter(resource["type"].partition(":")[0] for resource in resources)
    yield ""
    yield "Objects: " + ", ".join(f"{count[p]} in {word}" for p, word in PACKAGES.items()) + "."
    if servers:
        yield "Kubernetes and OpenBao are the servers of `make servers`; Harbor is simulated."
        for team in list(teams.values())[:1]:
            yield f"Look: kubectl --kubeconfig {servers.kubeconfig} get all -n {team['namespace']}"
