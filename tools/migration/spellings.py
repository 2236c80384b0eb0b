"""Values that common charts write otherwise than a team's file."""

from tools.migration.chart_ingress import respell_ingress
from tools.migration.value import Value


def respell(entry: Value) -> None:
    """Write such values as a team's file has them; what has no counterpart stays, and is lost."""
    _split_digest(entry)
    respell_ingress(entry)


def _split_digest(entry: Value) -> None:
    """`tag: v1@sha256:...`, as it is read by whoever puts a `:` before it."""
    image, missing = entry.find(("app", "image"))
    if missing or not isinstance(image.data, dict):
        return
    tag, digest = image.data.get("tag"), image.data.get("digest")
    if tag is None or not isinstance(tag.data, str) or (digest and digest.data):
        return
    name, at, pinned = tag.data.partition("@")
    if at:
        image.data["tag"] = Value(tag.source, tag.loc, name)
        image.data["digest"] = Value(tag.source, tag.loc, pinned)
