"""Which of a team's secrets containers use, and which keys of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from specs.container import Container
from specs.problem import Loc

# The keys of each secret by its name; None for all of them.
SecretKeys = dict[str, frozenset[str] | None]


@dataclass(frozen=True)
class SecretUse:
    """A place that names a secret: one key of it, or None for all.

    `loc` is where its name is, `key_loc` where the key is. `as_file`: not a variable.
    """

    secret: str
    key: str | None
    loc: Loc
    key_loc: Loc
    as_file: bool = False


def secret_keys(containers: Iterable[Container]) -> SecretKeys:
    """What the containers use together."""
    used: SecretKeys = {}
    for container in containers:
        for use in secret_uses(container):
            before = used.get(use.secret, frozenset())
            if use.key is None or before is None:
                used[use.secret] = None
            else:
                used[use.secret] = before | {use.key}
    return used


def secret_uses(container: Container, inner: Loc = ()) -> Iterator[SecretUse]:
    """Each place in the container that names a secret; `inner` is the container's own."""
    for index, variable in enumerate(container.env):
        if variable.secret_ref:
            at: Loc = (*inner, "env", index)
            loc: Loc = (*at, "secretRef")
            key_loc = (*at, "key") if variable.key else loc
            yield SecretUse(variable.secret_ref, variable.secret_key, loc, key_loc)
    for index, files in enumerate(container.secret_files):
        at = (*inner, "secretFiles", index)
        for number, key in enumerate(files.keys):
            key_loc = (*at, "keys", number)
            yield SecretUse(files.secret_ref, key, (*at, "secretRef"), key_loc, as_file=True)
    for index, source in enumerate(container.env_from):
        loc = (*inner, "envFrom", index, "secretRef")
        yield SecretUse(source.secret_ref, None, loc, loc)
