"""A Namespace's labels and annotations as `namespace` of a team's file."""

from collections.abc import Mapping, Sequence

from specs.settings import AllowedKey, NamespaceSettings
from tools.migration.documents import Manifest
from tools.migration.value import Value


def read_namespace(
    manifests: Sequence[Manifest], stack: NamespaceSettings
) -> dict[str, dict[str, Value]]:
    """Labels and annotations that the stack lets a team set and does not set itself."""
    found = {
        "labels": _chosen(manifests, "labels", stack.allowed_labels, stack.every_label),
        "annotations": _chosen(
            manifests, "annotations", stack.allowed_annotations, stack.annotations
        ),
    }
    return {what: chosen for what, chosen in found.items() if chosen}


def _chosen(
    manifests: Sequence[Manifest],
    what: str,
    allowed: Sequence[AllowedKey],
    fixed: Mapping[str, str],
) -> dict[str, Value]:
    return {
        key: manifest.value(("metadata", what, key), value)
        for manifest in manifests
        for key, value in manifest.mapping("metadata", what).items()
        if any(each.covers(key) for each in allowed) and fixed.get(key) != value
    }
