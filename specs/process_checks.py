"""Checks across the keys that say how an app's process runs."""

from collections.abc import Iterator

from specs.container import Container
from specs.problem import Finding, Loc
from specs.process import SIDECAR_ID


def check_process(container: Container, inner: Loc) -> Iterator[Finding]:
    """Report an identity that no app may have."""
    for key in ("user", "group"):
        if getattr(container.run_as, key) == SIDECAR_ID:
            yield (
                (*inner, "runAs", key),
                f"{SIDECAR_ID} is the sidecar's own, so what the app sends would bypass the mesh; "
                "choose another",
            )
