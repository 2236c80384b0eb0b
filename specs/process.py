"""How an app's process runs: as whom."""

from typing import Annotated

from pydantic import Field

from specs.base import INT32_MAX, TOO_MANY, Spec, within

# Istio's redirection leaves out what this user or group sends (Istio: Application Requirements,
# "Application UIDs"; istio/istio: tools/istio-iptables).
SIDECAR_ID = 1337

_NOT_ROOT = "is not the id of anyone but root; write 1 or more, such as 10001"
_Id = Annotated[int, within(1, INT32_MAX, _NOT_ROOT, TOO_MANY)]


class RunAs(Spec):
    """User and groups of the app's containers, by number; never root."""

    user: _Id | None = Field(
        None,
        description="User; default: the image's, which must be a number other than 0.",
        examples=["10001"],
    )
    group: _Id | None = Field(
        None, description="Primary group; default: the image's.", examples=["10001"]
    )
    fs_group: _Id | None = Field(
        None,
        description="Further group, which owns the files of what is mounted.",
        examples=["10001"],
    )
