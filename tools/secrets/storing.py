"""Stores one key of a secret, and keeps the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clients.http import RefusedError, UnreachableError
from clients.kv import ChangedMeanwhileError, KeyValue, Version
from clients.openbao import OpenBao
from specs.app import CronJob
from specs.load import TeamFile
from specs.names import nearest
from specs.secret_paths import MOUNT
from specs.settings import Settings
from tools.secrets.error import SecretError
from tools.secrets.refusals import explained, forbidden
from tools.secrets.times import shown_time
from tools.secrets.uses import AppUse, NamedSecret, named_secrets


@dataclass(frozen=True)
class Stored:
    """The version that has the new value; `alone`: the secret has no other key now."""

    version: int
    alone: bool


def unused(file: TeamFile, name: str, key: str) -> str | None:
    """A warning, "what is unusual; what to do", if no app of the team reads this."""
    team, named = file.source.file.stem, named_secrets(file)
    secret = named.get(name)
    if secret is None:
        what, known = f"no app of {team} uses a secret {name}", sorted(named)
    elif not secret.whole and key not in secret.keys:
        what, known = f"no app of {team} uses a key {key} of {name}", sorted(secret.keys)
    else:
        return None
    if near := nearest(name if secret is None else key, known):
        return f"{what}; did you mean {near}?"
    return f"{what}; {'its file names ' + ', '.join(known) if known else 'name it in its file'}"


def store(openbao: OpenBao, team: str, name: str, key: str, value: Callable[[], str]) -> Stored:
    """Store what `value` returns, which is asked for once the current version is known.

    Raises SecretError, also if the secret has changed since then: in either case nothing is stored.
    """
    kv, path = KeyValue(openbao), f"{team}/{name}"
    with explained():
        before = _before(kv, path)
        values = {key: value()}
        try:
            return merged(kv, path, values, before.number)
        except ChangedMeanwhileError:
            raise SecretError(_overtaken(kv, path)) from None
        except UnreachableError as error:
            raise SecretError(
                f"{error}; whether the value is stored is not known: see `./sre secret list "
                f"{team}`, and run this again"
            ) from None


def _before(kv: KeyValue, path: str) -> Version:
    try:
        return kv.version(path)
    except RefusedError as refusal:
        raise _refused(kv, refusal, "read", f"{MOUNT}/metadata/{path}") from None


def merged(kv: KeyValue, path: str, values: dict[str, str], replaced: int) -> Stored:
    """Store these keys beside the others of version `replaced`.

    Raises ChangedMeanwhileError, SecretError if the login may not, and the errors of requests.
    """
    if replaced:
        version = _patched(kv, path, values, replaced)
        if version:
            return Stored(version, alone=False)
    try:
        return Stored(kv.write(path, values, replaced), alone=True)
    except RefusedError as refusal:
        capability = "update" if replaced else "create"
        raise _refused(kv, refusal, capability, f"{MOUNT}/data/{path}") from None


def _patched(kv: KeyValue, path: str, values: dict[str, str], replaced: int) -> int | None:
    """The version with the other keys too; None if there are none, and nothing was written."""
    try:
        return kv.patch(path, values, replaced)
    except RefusedError as refusal:
        if refusal.status != 403:
            raise
        # An older policy may allow to read and to write, but not to patch.
        try:
            others = kv.values(path)
            return kv.write(path, {**others, **values}, replaced)
        except RefusedError as second:
            if second.status == 404:
                return None
            raise _refused(kv, second, "patch", f"{MOUNT}/data/{path}") from None


def _refused(kv: KeyValue, refusal: RefusedError, capability: str, path: str) -> Exception:
    return forbidden(kv.openbao, capability, path) if refusal.status == 403 else refusal


def _overtaken(kv: KeyValue, path: str) -> str:
    now = kv.version(path)
    return (
        f"{MOUNT}/{path} was changed meanwhile: version {now.number} is from "
        f"{shown_time(now.written)}, by whom only OpenBao's audit log says; your value is not "
        "stored: agree with your team, and run this again"
    )


def what_follows(file: TeamFile, name: str, key: str, settings: Settings) -> Iterator[str]:
    """How the value reaches the apps that use it."""
    secret = named_secrets(file).get(name)
    if secret is None or not settings.manage.kubernetes:
        return
    team = file.source.file.stem
    yield (
        f"External Secrets takes it into the namespace within "
        f"{settings.external_secrets.refresh_interval}, or at once with:"
    )
    yield (
        f'  kubectl annotate externalsecret {name} -n {team} force-sync="$(date +%s)" --overwrite'
    )
    variables = {each.app.name: each.app for each in _reading(secret, key, as_file=False)}
    running = [name for name, app in variables.items() if not isinstance(app, CronJob)]
    if running:
        yield "Pods keep their variables. Once the Secret has the value, restart:"
        yield f"  kubectl rollout restart -n {team} " + " ".join(
            f"deployment/{app}" for app in sorted(running)
        )
    if runs := sorted(variables.keys() - running):
        yield f"Has it from the next run on: {', '.join(runs)}."
    if files := sorted({each.app.name for each in _reading(secret, key, as_file=True)}):
        yield f"Gets it as a file, updated while the pod runs: {', '.join(files)}."


def _reading(secret: NamedSecret, key: str, as_file: bool) -> Iterator[AppUse]:
    for each in secret.uses:
        if each.use.as_file == as_file and each.use.key in (None, key):
            yield each
