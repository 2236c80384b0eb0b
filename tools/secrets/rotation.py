"""Gives the robots of a team's Harbor project new passwords, and stores them in OpenBao.

NIST 800-53 IA-5. The order is that of docs/decisions.md, "Robots' passwords".
"""

import secrets
import string
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from clients.harbor import Harbor, harbor_of
from clients.http import RefusedError, UnreachableError
from clients.kubeconfig import KubeconfigError
from clients.kubernetes import Cluster
from clients.kv import ChangedMeanwhileError, KeyValue
from clients.openbao import OpenBao
from specs.env_vars import PULL_SECRET
from specs.environment import complaints
from specs.secret_paths import MOUNT, secret_path
from specs.settings import Settings
from tools.secrets.error import SecretError
from tools.secrets.refusals import explained, forbidden
from tools.secrets.storing import merged
from tools.secrets.times import shown_day

_LENGTH = 40
_KINDS = (string.ascii_uppercase, string.ascii_lowercase, string.digits)  # one of each at least
_CA = "SSL_CERT_FILE"  # Harbor's, for the provider too
_ATTEMPTS = 5  # while others change the same secret


def callers_harbor(settings: Settings) -> Harbor:
    """The stack's Harbor. Raises SecretError unless it accepts the login in the environment."""
    if not settings.manage.harbor:
        raise SecretError("the stack does not manage Harbor; name the one that does (--stack)")
    wrong = [each.message for each in complaints(settings) if each.target == "harbor"]
    if wrong:
        raise SecretError(wrong[0])
    harbor = harbor_of(settings.harbor, retries=1)
    with explained(_CA):
        try:
            harbor.get("users/current")
        except RefusedError as refusal:
            if refusal.status != 401:
                raise
            raise SecretError(
                f"{harbor.address} does not accept HARBOR_USERNAME with HARBOR_PASSWORD; correct "
                "them"
            ) from None
    return harbor


def rotate(
    openbao: OpenBao, harbor: Harbor, team: str, names: Mapping[str, str], host: str
) -> Iterator[str]:
    """One robot after the other; yields a line for each that has a new password.

    `names`: the robots by the names of their secrets. `host`: the registry in these. All are looked
    up before the first one changes. Raises SecretError.
    """
    kv = KeyValue(openbao)
    with explained():
        robots = {secret: _robot(harbor, team, name) for secret, name in names.items()}
        for secret in robots:
            _check_access(kv, f"{team}/{secret}")
        for secret, robot in robots.items():
            password = new_password()
            _set_password(harbor, robot, password)
            login = {"registry": host, "username": robot["name"], "password": password}
            version = _store(kv, f"{team}/{secret}", login)
            path = secret_path(team, secret)
            yield f"{robot['name']}: new password, in {path} as version {version}."


def new_password() -> str:
    """Random, and of the kind that Harbor accepts."""
    while True:
        password = "".join(secrets.choice("".join(_KINDS)) for _ in range(_LENGTH))
        if all(set(kind) & set(password) for kind in _KINDS):
            return password


def _robot(harbor: Harbor, team: str, name: str) -> Mapping[str, Any]:
    """The robot of that name, which can log in."""
    with explained(_CA):
        try:
            project = harbor.get(f"projects/{team}")["project_id"]
        except RefusedError as refusal:
            if refusal.status not in (403, 404):
                raise
            raise SecretError(
                f"{harbor.address} shows no project {team}; run the team's `pulumi up`, or use a "
                "login that may see it"
            ) from None
        known = {robot["name"]: robot for robot in harbor.robots(project)}
    found = next((known[each] for each in known if each.endswith(f"{team}+{name}")), None)
    if found is None:
        raise SecretError(f"Harbor has no robot {team}+{name}; run the team's `pulumi up`")
    if found.get("disable"):
        raise SecretError(f"{found['name']} is disabled; the team's `lifecycle` decides that")
    ends = found.get("expires_at", -1)
    if 0 < ends <= time.time():
        raise SecretError(
            f"{found['name']} expired on {shown_day(ends)}, which a new password does not change; "
            "raise registry.robots.duration in the team's file"
        )
    return found


def _check_access(kv: KeyValue, path: str) -> None:
    """Raise SecretError if the new password could not be stored, while the old one still works."""
    data = f"{MOUNT}/data/{path}"
    _check(kv, "read", f"{MOUNT}/metadata/{path}", lambda: kv.version(path))
    _check(kv, "update", data, lambda: kv.try_to_write(path))
    # Without `patch`, the other keys must be readable.
    if not _admitted(lambda: kv.try_to_write(path, merge=True)):
        _check(kv, "patch", data, lambda: kv.values(path))


def _check(kv: KeyValue, capability: str, path: str, request: Callable[[], object]) -> None:
    if not _admitted(request):
        raise forbidden(kv.openbao, capability, path)


def _admitted(request: Callable[[], object]) -> bool:
    """Whether the policies admit it, even if there is nothing at its path."""
    try:
        request()
    except RefusedError as refusal:
        if refusal.status not in (403, 404):
            raise
        return refusal.status == 404
    return True


def _set_password(harbor: Harbor, robot: Mapping[str, Any], password: str) -> None:
    with explained(_CA):
        try:
            harbor.set_password(robot["id"], password)
        except RefusedError as refusal:
            if refusal.status != 403:
                raise
            raise SecretError(
                f"HARBOR_USERNAME may not change {robot['name']}; use an administrator, or a robot "
                "that may `update` robots"
            ) from None
        except UnreachableError as error:
            raise SecretError(
                f"{error}; {robot['name']} may have a new password that OpenBao does not have: run "
                "this again now"
            ) from None


def _store(kv: KeyValue, path: str, login: dict[str, str]) -> int:
    """From here on, only this login works: whoever else has changed the secret is overwritten.

    Their other keys stay.
    """
    try:
        for _ in range(_ATTEMPTS):
            with suppress(ChangedMeanwhileError):
                return merged(kv, path, login, kv.version(path).number).version
        why = "others keep changing it"
    except (RefusedError, UnreachableError, SecretError) as error:
        why = str(error)
    except KeyboardInterrupt:
        why = "interrupted"
    raise SecretError(
        f"{login['username']} has a new password in Harbor, but {MOUNT}/{path} does not have it "
        f"({why}), so that its login fails; run this again now"
    )


def fetch_pull_secret(team: str, settings: Settings) -> str:
    """Have External Secrets take the pull robot's new password into the namespace; a line on it."""
    if not (settings.manage.kubernetes and settings.harbor.image_pull_secret):
        return "The stack gives the namespace no pull secret: tell whoever uses the password."
    eso = f"external-secrets.io/{settings.external_secrets.api_version}"
    mark = {"metadata": {"annotations": {"force-sync": str(time.time_ns())}}}
    try:
        cluster = Cluster(settings.kubernetes.context, retries=1)
        cluster.call(
            "PATCH",
            cluster.path(eso, "ExternalSecret", team, PULL_SECRET),
            mark,
            {"fieldManager": "sre-secret"},
            "application/merge-patch+json",
        )
    except (KubeconfigError, RefusedError, UnreachableError) as error:
        return (
            f"The namespace still has the old password, with which new pods cannot pull ({error}); "
            f"run now: kubectl annotate externalsecret {PULL_SECRET} -n {team} "
            f'force-sync="$(date +%s)" --overwrite'
        )
    return f"External Secrets takes the pull robot's password into {team} now."
