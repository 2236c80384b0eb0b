"""What the teams' files want, and what OpenBao has: names, versions and keys, never values."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from clients.http import RefusedError
from clients.kv import Keys, KeyValue
from clients.openbao import OpenBao
from specs.env_vars import PULL_SECRET, PUSH_SECRET, VALUE
from specs.load import TeamFile
from specs.problem import Problem
from specs.secret_paths import MOUNT, secret_path
from tools.secrets.refusals import explained, policies
from tools.secrets.uses import NamedSecret, named_secrets

# The robots' credentials, which the program stores, and who uses each.
ROBOTS = {PULL_SECRET: "the cluster's pulls", PUSH_SECRET: "CI's pushes"}

_AT_A_TIME = 8  # requests


@dataclass(frozen=True)
class Unreadable:
    """The login lacks `capability` at the path."""

    capability: str
    path: str


@dataclass(frozen=True)
class ComparedSecret:
    """A secret that a team's file names, that OpenBao has, or both.

    `exists`: OpenBao has had a version of it; None if the login may not know. `stored`: the keys of
    the current version, if there is one and the login may know them.
    """

    team: str
    name: str
    named: NamedSecret | None
    exists: bool | None
    stored: Keys | None
    unreadable: Unreadable | None = None

    @property
    def path(self) -> str:
        """Where it is in OpenBao."""
        return secret_path(self.team, self.name)

    @property
    def missing(self) -> bool:
        """Whether OpenBao has no current version of it."""
        return self.unreadable is None and self.stored is None

    @property
    def deleted(self) -> bool:
        """Whether its current version was deleted."""
        return self.missing and self.exists is True

    @property
    def state(self) -> str:
        """In a word or two."""
        if self.name.endswith("/"):
            return "folder"
        if self.unreadable:
            return "not readable"
        if self.missing:
            return "deleted" if self.deleted else "missing"
        if self.lacking:
            return "lacks keys"
        return "stored" if self.named or self.name in ROBOTS else "not used"

    @property
    def lacking(self) -> list[str]:
        """The keys that the file names and a stored secret does not have."""
        if self.named is None or self.stored is None:
            return []
        return sorted(self.named.keys - self.stored.names)


@dataclass(frozen=True)
class ComparedTeam:
    """A team's secrets by name; `unreadable` if the login may not list them."""

    file: TeamFile
    secrets: Sequence[ComparedSecret]
    unreadable: Unreadable | None

    @property
    def name(self) -> str:
        """The team's name."""
        return self.file.source.file.stem

    @property
    def not_shown(self) -> list[Unreadable]:
        """What the login lacks to compare the secrets that the file names."""
        if self.unreadable:
            return [self.unreadable]
        return [each.unreadable for each in self.secrets if each.unreadable]

    @cached_property
    def lacks(self) -> list["Lack"]:
        """What its file names and OpenBao does not have."""
        return [lack for secret in self.secrets if secret.named for lack in _lacks(self, secret)]


@dataclass(frozen=True)
class Lack:
    """A secret that is missing, or a key of it; `problem` is where the file names it first."""

    secret: ComparedSecret
    key: str | None
    problem: Problem


def compare(files: Sequence[TeamFile], openbao: OpenBao) -> list[ComparedTeam]:
    """Compare the teams' files with OpenBao; what the login may not see is part of the result.

    Raises SecretError if the login is not valid, or OpenBao does not answer.
    """
    reader = _Reader(openbao)
    with explained(), ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(reader.team, files))


class _Reader:
    """Asks for the secrets of teams; safe to use from several threads."""

    def __init__(self, openbao: OpenBao) -> None:
        self._kv = KeyValue(openbao)

    def team(self, file: TeamFile) -> ComparedTeam:
        team, named = file.source.file.stem, named_secrets(file)
        try:
            known = set(self._kv.names(team))
        except RefusedError as refusal:
            # Most teams are another's: its secrets are not asked for one by one.
            unreadable = self._unreadable(refusal, "list", f"{MOUNT}/metadata/{team}")
            unseen = [
                ComparedSecret(team, name, named[name], None, None, unreadable) for name in named
            ]
            return ComparedTeam(file, unseen, unreadable)
        found = [
            self._secret(team, name, named.get(name), name in known)
            for name in sorted({*named, *known})
        ]
        return ComparedTeam(file, found, None)

    def _secret(
        self, team: str, name: str, named: NamedSecret | None, exists: bool
    ) -> ComparedSecret:
        if not exists or name.endswith("/"):
            return ComparedSecret(team, name, named, exists, None)
        path = f"{team}/{name}"
        try:
            return ComparedSecret(team, name, named, exists, self._keys(path))
        except RefusedError as refusal:
            unreadable = self._unreadable(refusal, "read", f"{MOUNT}/subkeys/{path}")
        return ComparedSecret(team, name, named, exists, None, unreadable)

    def _keys(self, path: str) -> Keys | None:
        try:
            return self._kv.keys(path)
        except RefusedError as refusal:
            if refusal.status != 403:
                raise
            # An older policy may allow to read secrets, but not to ask for their keys alone.
            return self._kv.keys_of_values(path)

    def _unreadable(self, refusal: RefusedError, capability: str, path: str) -> Unreadable:
        if refusal.status != 403:
            raise refusal
        assert self._policies  # there is a login: without one, everything is refused
        return Unreadable(capability, path)

    @cached_property
    def _policies(self) -> list[str]:
        return policies(self._kv.openbao)


def _lacks(team: ComparedTeam, secret: ComparedSecret) -> Iterator[Lack]:
    named = secret.named
    assert named
    if secret.missing:
        what = "was deleted in" if secret.deleted else "is not in"
        keys = f", with the keys {', '.join(sorted(named.keys))}" if named.keys - {VALUE} else ""
        message = f"{secret.path} {what} OpenBao; store it{keys}: {_command(secret, named.keys)}"
        yield Lack(secret, None, team.file.problem(named.uses[0].loc, message))
    for key in secret.lacking:
        first = next(each for each in named.uses if each.use.key == key)
        message = f"{secret.path} has no key {key}; store it: {_command(secret, {key})}"
        yield Lack(secret, key, team.file.problem(first.key_loc, message))


def _command(secret: ComparedSecret, keys: Collection[str]) -> str:
    key = "" if set(keys) == {VALUE} else f" --key {min(keys)}" if len(keys) == 1 else " --key KEY"
    return f"./sre secret set {secret.team} {secret.name}{key}"
