"""What the stack needs from OpenBao."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clients.http import RefusedError
from clients.openbao import OpenBao, openbao_of
from specs.secret_paths import MOUNT
from specs.settings import Settings
from tools.doctor.examination import (
    Check,
    Outcome,
    fail,
    ok,
    tls,
    warn,
)

SHORT, TOO_SHORT = 30, 5  # minutes until the token expires

# By default these states are error statuses; with 200, the JSON alone distinguishes them.
_HEALTH = "sys/health?standbyok=true&sealedcode=200&uninitcode=200"
_NAMED = 3  # paths named in a line

_WRITE = ("create", "update", "read", "delete")
_CHANGE = ("update", "read", "delete")  # for paths where OpenBao treats every write as an update

Properties = Mapping[str, Any]

# Paths that the provider writes for each type, and the capabilities that it needs there.
PATHS: Mapping[str, tuple[Callable[[Properties], tuple[str, ...]], tuple[str, ...]]] = {
    "vault:index/mount:Mount": (lambda made: (f"sys/mounts/{made['path']}",), _CHANGE),
    # OpenBao protects logins like its own root.
    "vault:index/authBackend:AuthBackend": (
        lambda made: (f"sys/auth/{made['path']}",),
        (*_CHANGE, "sudo"),
    ),
    "vault:kubernetes/authBackendConfig:AuthBackendConfig": (
        lambda made: (f"auth/{made['backend']}/config",),
        ("update", "read"),
    ),
    "vault:kubernetes/authBackendRole:AuthBackendRole": (
        lambda made: (f"auth/{made['backend']}/role/{made['roleName']}",),
        _WRITE,
    ),
    "vault:index/policy:Policy": (lambda made: (f"sys/policies/acl/{made['name']}",), _CHANGE),
    "vault:kv/secretV2:SecretV2": (lambda made: (f"{made['mount']}/data/{made['name']}",), _WRITE),
    # Their names are read only if they exist; they are created at these paths, and kept by ID.
    "vault:identity/group:Group": (
        lambda made: ("identity/group", "identity/group/id/any"),
        ("update",),
    ),
    "vault:identity/groupAlias:GroupAlias": (
        lambda made: ("identity/group-alias", "identity/group-alias/id/any"),
        ("update",),
    ),
}


class OpenBaoChecks:
    """`made` are the types and properties of what the stack creates there, as registered."""

    trust = "VAULT_CACERT"

    def __init__(self, settings: Settings, made: Sequence[tuple[str, Properties]]) -> None:
        self._settings = settings
        self._made = made
        self._bao: OpenBao
        self._token: Mapping[str, Any] = {}

    def checks(self) -> Iterator[Check]:
        """In the order in which to run them."""
        yield Check("reachable", self._reachable, gate=True)
        yield Check("TLS", self._tls)
        yield Check("token", self._lookup, gate=True)
        yield Check("child token", self._child_token)
        if any(type == "vault:kv/secretV2:SecretV2" for type, _ in self._made) or self._platform:
            yield Check("KV mount", self._kv_mount)
        yield Check("Kubernetes logins", self._auth_mount)
        if self._settings.openbao.oidc_accessor:
            yield Check("OIDC accessor", self._accessor)
        yield Check("capabilities", self._capabilities)

    @property
    def _platform(self) -> bool:
        return self._settings.platform

    def _reachable(self) -> Iterator[Outcome]:
        bao = openbao_of(self._settings.openbao, retries=1)
        assert bao is not None  # its address has been checked
        self._bao = bao
        health = bao.in_root().call("GET", _HEALTH)
        if not health["initialized"]:
            yield fail(f"{bao.address} is not initialised", "initialise it: `bao operator init`")
        elif health["sealed"]:
            yield fail(f"{bao.address} is sealed", "unseal it: `bao operator unseal`")
        else:
            yield ok(f"{health['version']} at {bao.address}")

    def _tls(self) -> Iterator[Outcome]:
        unverified = warn(
            "not verified: sre-platform:openbao.skipTlsVerify",
            "name the CA in VAULT_CACERT instead",
        )
        off = unverified if self._settings.openbao.skip_tls_verify else None
        yield tls(self._bao.address, "the token travels", off)

    def _lookup(self) -> Iterator[Outcome]:
        try:
            self._token = self._bao.call("GET", "auth/token/lookup-self")["data"]
        except RefusedError as refusal:
            if refusal.status not in (400, 401, 403):
                raise
            yield fail(
                "missing, or no longer valid",
                "set VAULT_TOKEN, or log in: `bao login`",
            )
            return
        minutes, name = self._token["ttl"] // 60, self._token["display_name"]
        if "root" in self._token["policies"]:
            yield warn("a root token", "use one with only the rights that this stack needs")
        elif not self._token["ttl"]:
            yield ok(f"{name}, which does not expire")
        elif minutes < SHORT:
            finding = fail if minutes < TOO_SHORT else warn
            yield finding(f"{name}, for {minutes} more minutes", "renew it, or log in again")
        else:
            yield ok(f"{name}, for {minutes} more minutes")

    def _child_token(self) -> Iterator[Outcome]:
        if self._settings.openbao.skip_child_token:
            yield ok("not needed (sre-platform:openbao.skipChildToken)")
        elif self._token["type"] == "batch" or not self._can("auth/token/create", ("update",)):
            yield fail(
                "the token cannot create child tokens",
                "set sre-platform:openbao.skipChildToken, or grant it update on auth/token/create",
            )
        else:
            yield ok("can be created")

    def _kv_mount(self) -> Iterator[Outcome]:
        mount = self._mount(MOUNT)
        if mount is None:
            yield self._absent(f"the mount {MOUNT}")
        elif mount["type"] == "kv" and (mount.get("options") or {}).get("version") == "2":
            yield ok(f"{MOUNT} is KV version 2")
        else:
            version = (mount.get("options") or {}).get("version", "1")
            found = f"KV version {version}" if mount["type"] == "kv" else f"of type {mount['type']}"
            yield fail(
                f"{MOUNT} is {found}",
                "the program needs KV version 2 there: move the existing mount",
            )

    def _auth_mount(self) -> Iterator[Outcome]:
        mount = self._mount("auth/kubernetes")
        if mount is None:
            yield self._absent("the auth mount kubernetes")
        elif mount["type"] == "kubernetes":
            yield ok("the auth mount kubernetes")
        else:
            yield fail(
                f"the auth mount kubernetes is of type {mount['type']}",
                "the program needs type kubernetes there: move the existing mount",
            )

    def _mount(self, path: str) -> Mapping[str, Any] | None:
        """What is mounted there, or None; every token may ask about what it may use."""
        try:
            return self._bao.read(f"sys/internal/ui/mounts/{path}")
        except RefusedError as refusal:
            if refusal.status not in (400, 403):
                raise
            return None

    def _absent(self, what: str) -> Outcome:
        if self._platform:
            return ok(f"{what} will be created by this stack")
        return fail(
            f"{what} does not exist, or the token has no rights in it",
            "run the stack that has sre-platform:platform, or fix the token's policy",
        )

    def _accessor(self) -> Iterator[Outcome]:
        wanted = self._settings.openbao.oidc_accessor
        mounts = self._bao.read("sys/auth") or {}
        path = next((path for path, one in mounts.items() if one["accessor"] == wanted), None)
        if not path:
            yield fail(
                f"no auth mount has the accessor {wanted}",
                "set sre-platform:openbao.oidcAccessor to one from `bao auth list`",
            )
        elif (type := mounts[path]["type"]) not in ("oidc", "jwt"):
            yield fail(
                f"{wanted} is auth/{path.rstrip('/')}, of type {type}",
                "set sre-platform:openbao.oidcAccessor to that of the mount where people log in",
            )
        elif role := self._role_without_groups(path):
            yield warn(
                f"the default role {role} of auth/{path.rstrip('/')} reads no groups: "
                "developers get no secrets",
                "set its groups_claim (docs/access.md)",
            )
        else:
            yield ok(f"{wanted} is auth/{path.rstrip('/')}")

    def _role_without_groups(self, path: str) -> str | None:
        """The mount's default role, if it reads no groups; None too if our token cannot read it."""
        try:
            role = (self._bao.read(f"auth/{path}config") or {}).get("default_role")
            known = self._bao.read(f"auth/{path}role/{role}") if role else None
        except RefusedError:
            return None
        return role if known and not known.get("groups_claim") else None

    def _capabilities(self) -> Iterator[Outcome]:
        needed: dict[str, tuple[str, ...]] = {}
        for type, properties in self._made:
            paths, capabilities = PATHS[type]
            needed |= dict.fromkeys(paths(properties), capabilities)
        granted = self._granted(list(needed))
        lacking: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for path, capabilities in sorted(needed.items()):
            if lacks := tuple(one for one in capabilities if one not in granted[path]):
                lacking[lacks].append(path)
        for capabilities, paths in lacking.items():
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            yield fail(
                f"the token lacks {', '.join(capabilities)} on {', '.join(paths[:_NAMED])}{more}",
                "add them to its policy",
            )
        if not lacking:
            yield ok(f"everything the program does at {len(needed)} paths")

    def _can(self, path: str, capabilities: Sequence[str]) -> bool:
        return set(capabilities) <= self._granted([path])[path]

    def _granted(self, paths: Sequence[str]) -> Mapping[str, set[str]]:
        """What the token may do at each path."""
        if not paths:
            return {}
        answer = self._bao.call("POST", "sys/capabilities-self", {"paths": paths})["data"]
        everything = {"create", "update", "read", "delete", "sudo"}
        return {path: everything if "root" in answer[path] else set(answer[path]) for path in paths}
