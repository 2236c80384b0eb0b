"""What exists on real servers, to compare before with after, or with what was requested."""

from collections.abc import Iterator

from clients.kubernetes import Cluster
from clients.openbao import OpenBao

# Kinds whose objects appear and disappear by themselves.
FLEETING = frozenset({"Event", "Lease", "EndpointSlice", "Endpoints", "ComponentStatus", "Node"})


def cluster_objects(cluster: Cluster) -> set[str]:
    """`group/version Kind namespace/name` of every object, except short-lived ones."""
    return set(cluster_uids(cluster))


def cluster_uids(cluster: Cluster) -> dict[str, str]:
    """The uid of each; a recreated object has another one."""
    return {
        f"{version} {kind} {metadata.get('namespace', '')}/{metadata['name']}": metadata["uid"]
        for version, kind in _kinds(cluster)
        for metadata in (item["metadata"] for item in cluster.list(version, kind))
    }


def _kinds(cluster: Cluster) -> Iterator[tuple[str, str]]:
    groups = cluster.call("GET", "apis")["groups"]
    for version in ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]:
        path = f"{'apis' if '/' in version else 'api'}/{version}"
        for resource in cluster.call("GET", path)["resources"]:
            if "list" in resource["verbs"] and resource["kind"] not in FLEETING:
                yield version, resource["kind"]


def openbao_objects(openbao: OpenBao) -> set[str]:
    """Mounts, logins, their roles, policies, identity groups, their aliases, teams' secrets."""
    mounts, logins = openbao.read("sys/mounts") or {}, openbao.read("sys/auth") or {}
    found = {f"mount {path}" for path in mounts} | {f"login {path}" for path in logins}
    found |= {f"policy {name}" for name in _listed(openbao, "sys/policies/acl")}
    found |= {f"group {name}" for name in _listed(openbao, "identity/group/name")}
    # Listed by ids, which are new each time.
    aliases = openbao.read("identity/group-alias/id?list=true") or {}
    found |= {f"group alias {alias['name']}" for alias in aliases.get("key_info", {}).values()}
    if "kubernetes/" in logins:
        found |= {f"role {name}" for name in _listed(openbao, "auth/kubernetes/role")}
    if "sre/" in mounts:
        for team in _listed(openbao, "sre/metadata"):
            found |= {f"secret {team}{name}" for name in _listed(openbao, f"sre/metadata/{team}")}
    return found


def _listed(openbao: OpenBao, path: str) -> list[str]:
    return (openbao.read(f"{path}?list=true") or {}).get("keys", [])
