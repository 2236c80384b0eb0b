"""Credentials by cluster: `NAME__CLUSTER` in the environment is NAME for that cluster's stacks."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence


class Credentials:
    """The environment of stacks; `clusters` has the cluster of each, or nothing.

    A stack gets its cluster's own variables and those of all clusters, and none of another one,
    whether that has stacks or is only in `others`. Raises ValueError, "what is wrong; what to do",
    for a variable that two clusters would have.
    """

    def __init__(self, clusters: Mapping[str, str], others: Iterable[str] = ()) -> None:
        self._clusters = clusters
        self._suffixes: dict[str, str] = {}
        for cluster in sorted({*clusters.values(), *others} - {""}):
            self._add(cluster)

    def of(self, stack: str) -> dict[str, str]:
        """The environment of a stack's processes."""
        cluster = self._clusters.get(stack)
        shared: dict[str, str] = {}
        own: dict[str, str] = {}
        for name, value in os.environ.items():
            suffix = self._suffix_in(name)
            if not suffix:
                shared[name] = value
            elif self._suffixes[suffix] == cluster:
                own[name.removesuffix(suffix)] = value
        return {**shared, **own}

    def groups(self, stacks: Sequence[str]) -> Iterator[tuple[dict[str, str], list[str]]]:
        """The different environments of stacks, each with its stacks."""
        left = [(self.of(stack), stack) for stack in stacks]
        while left:
            environment = left[0][0]
            yield environment, [stack for found, stack in left if found == environment]
            left = [(found, stack) for found, stack in left if found != environment]

    def _add(self, cluster: str) -> None:
        suffix = _suffix(cluster)
        other = self._suffixes.setdefault(suffix, cluster)
        names = [name for name in os.environ if name.endswith(suffix)]
        if other != cluster and names:
            raise ValueError(
                f"the variable {names[0]} would be both for cluster '{other}' and for '{cluster}'; "
                "rename one of them"
            )

    def _suffix_in(self, name: str) -> str:
        """Nothing, or the longest: A__PROD__EU is A for `prod--eu`, not A__PROD for `eu`."""
        if "__" not in name:
            return ""
        found = (each for each in self._suffixes if name.endswith(each) and name != each)
        return max(found, key=len, default="")


def _suffix(cluster: str) -> str:
    """`__PROD_EU` for prod-eu."""
    return f"__{re.sub('[^A-Z0-9]', '_', cluster.upper())}"
