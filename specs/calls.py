"""Whom an app calls, and which other teams' apps may call it."""

from typing import Annotated, Literal

from pydantic import Field

from specs.base import NOT_EMPTY, Label, Port, Spec, checked
from specs.hosts import check_host_pattern
from specs.network import Cidr

HTTPS = 443
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Call(Spec):
    """What an app connects to: another app, a host or addresses outside, or a platform service.

    Exactly one of `app` (with `team` for another team's), `host`, `cidr` and `platform`.
    """

    team: Label | None = Field(
        None, description="Team of `app`, which must list this app in its `callers`; default: "
        "this file's team.", examples=["team-beta"],
    )  # fmt: skip
    app: Label | None = Field(
        None, description="A web-app, called on its `app.port`.", examples=["ledger"]
    )
    host: Annotated[str, checked(check_host_pattern)] | None = Field(
        None, description="A host outside the mesh, by its full name; `*.` stands for all names "
        "below a domain.", examples=["api.stripe.com"],
    )  # fmt: skip
    cidr: Cidr | None = Field(
        None, description="Addresses outside the cluster.", examples=["10.200.0.0/16"]
    )
    platform: Label | None = Field(
        None, description="A service that the stack defines (`network.platform`).",
        examples=["databases"],
    )  # fmt: skip
    port: Port | None = Field(
        None, description="Port of `host` (default: 443) or `cidr` (required)."
    )


class Caller(Spec):
    """An app of another team that may call this one on `app.port`."""

    team: Label = Field(description="The caller's team.", examples=["team-gamma"])
    app: Label = Field(description="The caller, which must list this app in its `calls`.")
    paths: Annotated[tuple[str, ...], NOT_EMPTY] | None = Field(
        None, description="Paths that it may call; a final `*` stands for any rest. The mesh "
        "holds this where the stack has `istio.authorization: enforce`. Default: every path.",
        examples=["[/v1/*]"],
    )  # fmt: skip
    methods: Annotated[tuple[Method, ...], NOT_EMPTY] | None = Field(
        None, description="HTTP methods that it may use, held as `paths` are. Default: every one.",
        examples=["[GET]"],
    )  # fmt: skip
