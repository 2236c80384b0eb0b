"""Secrets that do not arrive from OpenBao, or lack what the app reads from them."""

import re
from collections.abc import Iterator
from datetime import timedelta

from clients.kubernetes import Object
from specs.container import Container
from specs.env_vars import VALUE
from specs.problem import Loc
from specs.secret_paths import secret_path
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import EXTERNAL_SECRETS, moment
from tools.status.words import RESTORE, ready, short

_PATIENCE = timedelta(seconds=30)  # until the operator looks at a new ExternalSecret

_OPERATOR = "the External Secrets Operator"
_REMOTE = re.compile(r"\(key: (?P<path>[^),]+)")
_NO_KEY = re.compile(r'cannot find secret data for key: "(?P<key>[^"]+)"')
_NOT_STORED = re.compile(r"secret does not exist|path not found|\b404\b", re.I)
_DENIED = re.compile(r"permission denied|\b403\b", re.I)
_STORE = re.compile(r"secretstore|provider client|store .*not ready", re.I)
_SECRET_MISSING = re.compile(r'secrets? "(?P<name>[^"]+)" not found')
_KEY_MISSING = re.compile(
    r"couldn't find key (?P<key>\S+) in Secret \S+?/(?P<name>[^\s/]+)$"
    r"|non-existent secret key: (?P<file>\S+)"
)


def causes(app: AppState) -> Iterator[Cause]:
    """Which of the app's secrets did not arrive, and why."""
    failing: set[str] = set()
    if EXTERNAL_SECRETS not in app.state.unread and app.workload:
        for name in app.app.secret_refs:
            for cause in _of_external(app, name):
                failing.add(name)
                yield cause
    yield from _of_pods(app, failing)


def place(container: Container, name: str, key: str | None = None) -> Loc:
    """Where the app names a secret, or a key of it."""
    for index, variable in enumerate(container.env):
        if variable.secret_ref == name and key in (None, variable.secret_key):
            return ("app", "env", index, "key" if key and variable.key else "secretRef")
    for index, files in enumerate(container.secret_files):
        if files.secret_ref == name and (key is None or key in files.keys):
            where: Loc = ("keys", files.keys.index(key)) if key else ("secretRef",)
            return ("app", "secretFiles", index, *where)
    for index, source in enumerate(container.env_from):
        if source.secret_ref == name:
            return ("app", "envFrom", index, "secretRef")
    return ("app",)


def _of_external(app: AppState, name: str) -> Iterator[Cause]:
    found = app.state.named(EXTERNAL_SECRETS, name)
    loc = place(app.app.app, name)
    if found is None:
        yield Cause(
            "secret-not-deployed",
            f"the namespace has no ExternalSecret {name}",
            RESTORE,
            loc,
            weight=_weight(app, None),
        )
        return
    status = ready(found)
    created = moment(found["metadata"].get("creationTimestamp"))
    if status is None and created and app.state.now - created < _PATIENCE:
        return
    if status is None:
        yield Cause(
            "secret-unseen",
            f"the ExternalSecret {name} was never looked at: {_OPERATOR} does not run",
            "ask the platform team",
            weight=_weight(app, found),
        )
    elif status != "True":
        yield _failing(app, found, name, loc)


def _failing(app: AppState, found: Object, name: str, loc: Loc) -> Cause:
    store = found["spec"].get("secretStoreRef") or {}
    in_store = f"{store.get('kind', 'SecretStore')} {store.get('name', '')}"
    text, weight = _text(app, found), _weight(app, found)
    remote = _REMOTE.search(text)
    path = remote["path"] if remote else secret_path(app.team.name, name)
    if no_key := _NO_KEY.search(text):
        key = no_key["key"]
        return Cause(
            "secret-key",
            f"the secret {path} in OpenBao ({in_store}) has no key `{key}`",
            f"{_store_it(app, name, key)}, or correct the key",
            place(app.app.app, name, key),
            weight=weight,
        )
    if _NOT_STORED.search(text):
        keys = _keys(found)
        return Cause(
            "secret-not-stored",
            f"OpenBao has no secret {path} ({in_store})",
            _store_it(app, name, keys[0]),
            loc,
            weight=weight,
        )
    if _DENIED.search(text):
        return Cause(
            "secret-denied",
            f"{in_store} may not read {path} in OpenBao",
            "ask the platform team to run `./sre doctor`",
            weight=weight,
        )
    if _STORE.search(text):
        return Cause(
            "secret-store",
            f"{in_store}, which fetches {path} from OpenBao, is not ready",
            "ask the platform team to run `./sre doctor`",
            weight=weight,
        )
    return Cause(
        "secret-not-synced",
        f"{_OPERATOR} cannot fetch {path} through {in_store} ({short(text)})",
        "ask the platform team",
        loc,
        weight=weight,
    )


def _store_it(app: AppState, name: str, key: str) -> str:
    """Who may store it, and how."""
    developers = app.settings.openbao.developer_access == "write"
    who = "one of the team's developers" if developers else "the platform team"
    named = "" if key == VALUE else f" --key {key}"
    return f"have {who} store it (`./sre secret set {app.team.name} {name}{named}`)"


def _keys(external: Object) -> list[str]:
    data = external["spec"].get("data") or ()
    return [each["remoteRef"].get("property") or each["secretKey"] for each in data] or [VALUE]


def _text(app: AppState, found: Object) -> str:
    """The condition's words, and those of events: older operators say why in these alone."""
    conditions = found.get("status", {}).get("conditions") or ()
    said = [str(each.get("message") or "") for each in conditions if each["type"] == "Ready"]
    said += [e.message for e in app.state.events_of(found) if e.reason == "UpdateFailed"][:1]
    return "; ".join(said)


def _weight(app: AppState, found: Object | None) -> Weight:
    """A Secret that arrived once is still there, and the app may run with it."""
    arrived = bool(found and found.get("status", {}).get("refreshTime"))
    return Weight.WARNING if arrived or (app.complete and app.wanted) else Weight.BROKEN


def _of_pods(app: AppState, failing: set[str]) -> Iterator[Cause]:
    """Secrets, or keys of them, for which pods wait although they seem to have arrived."""
    said = [
        str(container.waiting.get("message") or "")
        for container in app.containers
        if container.waiting.get("reason") == "CreateContainerConfigError"
    ]
    said += [event.message for event in app.events("FailedMount")] if app.starting else []
    for message in said:
        if found := _KEY_MISSING.search(message):
            key, name = found["key"] or found["file"], found["name"] or _of_key(app, found["file"])
            loc = place(app.app.app, name, key)
            yield Cause(
                "secret-key",
                f"the Secret {name} has no key `{key}`",
                f"store it in {secret_path(app.team.name, name)} in OpenBao, or correct the key",
                loc,
            )
        elif (found := _SECRET_MISSING.search(message)) and found["name"] not in failing:
            name = found["name"]
            external = app.state.named(EXTERNAL_SECRETS, name)
            if external and ready(external) == "True":
                yield Cause(
                    "secret-missing",
                    f"the pod waits for the Secret {name}, which has arrived since",
                    "wait: the node looks again within two minutes",
                    weight=Weight.WARNING,
                )
                continue
            yield Cause(
                "secret-missing",
                f"the namespace has no Secret {name}",
                f"see `kubectl describe externalsecret {name} -n {app.team.name}`",
                place(app.app.app, name),
            )


def _of_key(app: AppState, key: str) -> str:
    files = app.app.app.secret_files
    return next((each.secret_ref for each in files if key in each.keys), "")
