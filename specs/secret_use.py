"""Which of a team's secrets containers use, and which keys of them."""

from collections.abc import Iterable, Iterator

from specs.container import Container

# The keys of each secret by its name; None for all of them.
SecretKeys = dict[str, frozenset[str] | None]


def secret_keys(containers: Iterable[Container]) -> SecretKeys:
    """What the containers use together."""
    used: SecretKeys = {}
    for container in containers:
        for name, keys in _uses(container):
            before = used.get(name, frozenset())
            used[name] = None if keys is None or before is None else before | keys
    return used


def _uses(container: Container) -> Iterator[tuple[str, frozenset[str] | None]]:
    for variable in container.env:
        if variable.secret_ref:
            yield variable.secret_ref, frozenset({variable.secret_key})
    for files in container.secret_files:
        yield files.secret_ref, frozenset(files.keys)
    for source in container.env_from:
        yield source.secret_ref, None
