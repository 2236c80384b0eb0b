"""Access to a web-app from outside the cluster (guide: ingress)."""

from typing import Annotated

from pydantic import Field

from specs import names
from specs.base import OrEmpty, Spec, checked

# An empty string means none: see OrEmpty.
Host = Annotated[str, checked(names.check_host, f"({names.HOST})?", maxLength=names.DNS_NAME_MAX)]


class Ingress(Spec):
    """Access from outside the cluster (guide: ingress)."""

    enabled: bool = Field(False, description="Creates the VirtualService `<app.name>`.")
    host: Annotated[Host | None, OrEmpty] = Field(
        None,
        description="Host name; only one app of one team may use it. Required when enabled.",
        examples=["my-api.apps.sre.example.com"],
    )
    gateway: str | None = Field(
        None,
        description="Istio gateway, one of the stack's; default: the stack's first, "
        "`istio-system/sre-gateway`.",
        examples=["istio-system/sre-gateway"],
    )
