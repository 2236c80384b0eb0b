"""Credentials by cluster: `NAME__CLUSTER` in the environment is NAME for that cluster's stacks."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence


class Credentials:
    """The environment of stacks; `clusters` has the cluster of each, or nothing.

    A stack gets its cluster's own variables and those of all clusters, and none of another one.
    """

    def __init__(self, clusters: Mapping[str, str]) -> None:
        self._clusters = clusters
        self._suffixes = tuple(_suffix(each) for each in set(clusters.values()) if each)

    def of(self, stack: str) -> dict[str, str]:
        """The environment of a stack's processes."""
        cluster = self._clusters.get(stack)
        own = _suffix(cluster) if cluster else None
        found = {key: value for key, value in os.environ.items() if not self._is_ones_own(key)}
        for name, value in os.environ.items():
            if own and name.endswith(own):
                found[name.removesuffix(own)] = value
        return found

    def groups(self, stacks: Sequence[str]) -> Iterator[tuple[dict[str, str], list[str]]]:
        """The different environments of stacks, each with its stacks."""
        left = [(self.of(stack), stack) for stack in stacks]
        while left:
            environment = left[0][0]
            yield environment, [stack for found, stack in left if found == environment]
            left = [(found, stack) for found, stack in left if found != environment]

    def _is_ones_own(self, name: str) -> bool:
        return bool(self._suffixes) and name.endswith(self._suffixes)


def _suffix(cluster: str) -> str:
    """`__PROD_EU` for prod-eu."""
    return f"__{re.sub('[^A-Z0-9]', '_', cluster.upper())}"
