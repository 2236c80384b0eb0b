"""Secrets in an OpenBao's KV engine, version 2: each write is bound to the version it replaces."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from clients.http import RefusedError
from clients.openbao import OpenBao
from specs.secret_paths import MOUNT

_MERGE_PATCH = "application/merge-patch+json"

_NO_VERSION = 2**31 - 1  # far more than anyone will have written

# OpenBao's own words for a version that is no longer the current one (OpenBao: kv, path_data.go).
_NOT_CURRENT = "check-and-set parameter did not match"


@dataclass(frozen=True)
class Version:
    """A secret's current version, which may have been deleted; 0 has never been written.

    `written` is a time as OpenBao writes it: in UTC, to the nanosecond.
    """

    number: int = 0
    written: str = ""


@dataclass(frozen=True)
class Keys:
    """The names of a secret's keys, and the version that has them."""

    names: frozenset[str]
    version: Version


class ChangedMeanwhileError(Exception):
    """The version that was to be replaced is not the current one any more."""


class KeyValue:
    """The mount `sre`, as the bearer of a token sees it; paths are `<team>/<name>`.

    All methods raise RefusedError and UnreachableError.
    """

    def __init__(self, openbao: OpenBao) -> None:
        self.openbao = openbao

    def names(self, team: str) -> list[str]:
        """Names below a team's path; those of folders end in a slash."""
        try:
            listed = self.openbao.call("LIST", f"{MOUNT}/metadata/{team}")
        except RefusedError as refusal:
            if _nothing_there(refusal):
                return []
            raise
        found: list[str] = listed["data"]["keys"]
        return found

    def version(self, path: str) -> Version:
        """The current version, from the metadata."""
        try:
            metadata = self.openbao.call("GET", f"{MOUNT}/metadata/{path}")["data"]
        except RefusedError as refusal:
            if _nothing_there(refusal):
                return Version()
            raise
        number = metadata["current_version"]
        current = metadata["versions"].get(str(number), {})
        return Version(number, current.get("created_time", ""))

    def keys(self, path: str) -> Keys | None:
        """The names of its keys, without their values; None if no version can be read."""
        return self._keys("subkeys", path, "subkeys")

    def keys_of_values(self, path: str) -> Keys | None:
        """The same for a caller who may read the values but not ask for the keys alone."""
        return self._keys("data", path, "data")

    def _keys(self, endpoint: str, path: str, field: str) -> Keys | None:
        try:
            answer = self.openbao.call("GET", f"{MOUNT}/{endpoint}/{path}")["data"]
        except RefusedError as refusal:
            if _nothing_there(refusal):
                return None
            raise
        metadata = answer["metadata"]
        version = Version(metadata["version"], metadata["created_time"])
        return Keys(frozenset(answer[field]), version)

    def values(self, path: str) -> dict[str, Any]:
        """The current version's keys and values."""
        found: dict[str, Any] = self.openbao.call("GET", f"{MOUNT}/data/{path}")["data"]["data"]
        return found

    def write(self, path: str, values: dict[str, Any], replaced: int) -> int:
        """Replace all keys of version `replaced`; return the new version's number.

        Raises ChangedMeanwhileError.
        """
        return self._write("POST", path, values, replaced, "application/json")

    def patch(self, path: str, values: dict[str, str], replaced: int) -> int | None:
        """The same, but keys that `values` does not have stay.

        None if there is nothing to keep, because the version was deleted: nothing is written.
        """
        try:
            return self._write("PATCH", path, dict(values), replaced, _MERGE_PATCH)
        except RefusedError as refusal:
            if _nothing_there(refusal):
                return None
            raise

    def try_to_write(self, path: str, merge: bool = False) -> None:
        """A write (or with `merge`, a patch) that changes nothing, to see whether it is admitted.

        It names a version that does not exist; OpenBao looks at that once policies admit it.
        """
        write = self.patch if merge else self.write
        with suppress(ChangedMeanwhileError):
            write(path, {"value": "try"}, _NO_VERSION)

    def _write(
        self, method: str, path: str, values: dict[str, Any], replaced: int, content_type: str
    ) -> int:
        body = {"options": {"cas": replaced}, "data": values}
        try:
            answer = self.openbao.call(method, f"{MOUNT}/data/{path}", body, content_type)
        except RefusedError as refusal:
            if refusal.status == 400 and _NOT_CURRENT in refusal.reason:
                raise ChangedMeanwhileError from None
            raise
        number: int = answer["data"]["version"]
        return number


def _nothing_there(refusal: RefusedError) -> bool:
    """Whether the mount has nothing at the path; without a mount, the answer is a 404 too."""
    return refusal.status == 404 and "no handler for route" not in refusal.reason
