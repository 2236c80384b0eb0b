"""Whether pods can be spread over the cluster's nodes as the stack asks."""

from collections.abc import Iterator, Sequence

from clients.http import RefusedError
from clients.kubernetes import Cluster
from tools.doctor.examination import Outcome, ok, skipped, warn

_SETTING = "sre-platform:kubernetes.spreadOver"


def spread_over(cluster: Cluster, labels: Sequence[str]) -> Iterator[Outcome]:
    """The scheduler does not spread pods over a node that lacks any of the labels."""
    try:
        nodes = [one["metadata"].get("labels") or {} for one in cluster.list("v1", "Node")]
    except RefusedError as refusal:
        if refusal.status != 403:
            raise
        yield skipped("this identity may not list them")
        return
    complete = True
    for label in labels:
        lacking = sum(label not in node for node in nodes)
        if lacking:
            complete = False
            yield warn(
                f"{lacking} of {len(nodes)} without the label {label}: pods are not spread over "
                "them by any label",
                f"give it to them, or remove it from {_SETTING}",
            )
    if complete:
        yield ok(f"{len(nodes)} with {', '.join(labels)}")
