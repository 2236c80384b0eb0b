"""Which stacks a run is for."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from specs.names import nearest
from specs.stack_teams import SANDBOX
from tools.review.affected import Stack

_SHOWN = 10  # of a thousand names


def selected(stacks: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Those of `stacks` that names and globs name, in their order; without any, all.

    The sandbox's stack is selected only by its name. Raises ValueError, "what is wrong; what to
    do", for a pattern that selects nothing.
    """
    usual = [stack for stack in stacks if stack != SANDBOX]
    if not patterns:
        return usual
    found: set[str] = set()
    for pattern in patterns:
        matching = {stack for stack in usual if fnmatchcase(stack, pattern)}
        matching |= {pattern} & set(stacks)
        if not matching:
            raise ValueError(f"no stack '{pattern}'; {_hint(pattern, stacks)}")
        found |= matching
    return [stack for stack in stacks if stack in found]


def of_cluster(stacks: Sequence[Stack], cluster: str) -> list[str]:
    """The names of a cluster's stacks. Raises ValueError, "what is wrong; what to do"."""
    clusters = sorted({stack.cluster for stack in stacks if stack.cluster})
    if not clusters:
        raise ValueError("no stack names a cluster; leave out --cluster")
    if cluster not in clusters:
        raise ValueError(f"no stack has the cluster '{cluster}'; {_hint(cluster, clusters)}")
    return [stack.name for stack in stacks if stack.cluster == cluster]


def _hint(word: str, known: Sequence[str]) -> str:
    if not known:
        return "create one: ./sre new --help"
    if near := nearest(word, known):
        return f"did you mean {near}?"
    more = ", ..." if len(known) > _SHOWN else ""
    return f"use one of: {', '.join(known[:_SHOWN])}{more}"
