"""The image of an app's container (guide: app.image)."""

import re
from typing import Annotated, Literal

from pydantic import Field

from specs import names
from specs.base import OrEmpty, Spec, checked

# One part of a repository's path (OCI distribution specification, "Pulling manifests").
_PATH_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"[^/@:]*|[^/@]*(/{_PATH_COMPONENT})+"

# An empty string means none: see OrEmpty.
_Digest = Annotated[str, checked(names.check_digest, f"({names.DIGEST})?")]


def _check_repository(value: str) -> None:
    if "@" in value:
        raise ValueError(
            "contains a digest; write only the repository, the version in `tag`, and the digest in "
            "`digest`"
        )
    if ":" in value.rpartition("/")[2]:
        raise ValueError("contains a tag; write the version in `tag`")
    if not all(re.fullmatch(_PATH_COMPONENT, part) for part in value.split("/")[1:]):
        raise ValueError(f"'{value}' is not a repository; write host/project/name in lower case")


class Image(Spec):
    """The container image (guide: app.image)."""

    repository: Annotated[str, checked(_check_repository, _REPOSITORY)] = Field(
        description="Repository in the platform's registry, in the team's project or a shared one.",
        examples=["harbor.sre.internal/team-alpha/my-api"],
    )
    tag: Annotated[str, checked(names.check_tag, names.TAG)] = Field(
        description="A version, quoted; never `latest`, no digest.", examples=['"v1.0.0"']
    )
    digest: Annotated[_Digest | None, OrEmpty] = Field(
        None,
        description="The image's digest; pods run this image even if another one gets the tag.",
        examples=[f'"sha256:{"0123456789abcdef" * 4}"'],
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When the node pulls the image."
    )

    @property
    def reference(self) -> str:
        """The image as a container names it."""
        return f"{self.repository}:{self.version}"

    @property
    def version(self) -> str:
        """The tag, and the digest if there is one: `v1.0.0@sha256:...`."""
        return f"{self.tag}@{self.digest}" if self.digest else self.tag
