"""Whom an app calls, and which other teams' apps may call it."""

import re
from typing import Annotated, Literal

from pydantic import Field

from specs.base import NOT_EMPTY, Label, Port, Spec, checked
from specs.hosts import PATTERN, check_host_pattern, plain
from specs.http_grammar import MATCHED_PATH, check_matched_path
from specs.network import Cidr, network_of
from specs.readers import flow, word

HTTPS = 443
# The end of names that never exist (RFC 2606).
NO_HOST = ".invalid"
# The paths of Istio's AuthorizationPolicy.
CallPath = Annotated[str, checked(check_matched_path, MATCHED_PATH)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _check_called_host(text: str) -> None:
    """Raise ValueError unless `text` is a host or a wildcard; addresses have another key."""
    address = text.strip("[]")
    if ":" in address and (network := network_of(address)):
        example = word(str(network))
        raise ValueError(f"'{text}' is an address; write it in `cidr`, such as `cidr: {example}`")
    if text.partition(":")[2].isdecimal():
        raise ValueError(f"'{text}' contains a port; write it in `port`")
    check_host_pattern(text)


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
    host: Annotated[str, checked(_check_called_host, PATTERN)] | None = Field(
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

    @property
    def shown(self) -> str:
        """What it calls, in one form for each target, as it is written."""
        if self.app is not None:
            return flow({"team": self.team, "app": self.app})
        if self.host is not None:
            return flow({"host": plain(self.host), "port": self.port or HTTPS})
        if self.cidr is not None:
            return flow({"cidr": str(network_of(self.cidr)), "port": self.port})
        return flow({"platform": self.platform})


class Caller(Spec):
    """An app of another team that may call this one on `app.port`."""

    team: Label = Field(description="The caller's team.", examples=["team-gamma"])
    app: Label = Field(
        description="The calling app; validation warns if its `calls` do not list this one."
    )
    paths: Annotated[tuple[CallPath, ...], NOT_EMPTY] | None = Field(
        None, description="Paths that it may call; a `*` at the end, or at the beginning, stands "
        "for anything. The mesh enforces this if the stack has `istio.authorization: enforce`. "
        "Default: every path.",
        examples=["[/v1/*]"],
    )  # fmt: skip
    methods: Annotated[tuple[Method, ...], NOT_EMPTY] | None = Field(
        None, description="HTTP methods that it may use, enforced as `paths` are. Default: all.",
        examples=["[GET]"],
    )  # fmt: skip


def service_entry_name(app: str, target: str) -> str:
    """Name of an app's ServiceEntry for a host, a wildcard, or a range of addresses."""
    return f"{app}-{_dashed(target)}"


def host_of_range(app: str, cidr: str) -> str:
    """The host that Istio requires of a range's ServiceEntry: one that no name server knows."""
    return f"{_dashed(cidr)}.{app}{NO_HOST}"


def _dashed(target: str) -> str:
    """A host or a range as part of a name; a label of DNS cannot begin with a dash."""
    text = f"0{target}" if target.startswith("::") else plain(target).replace("*", "any")
    return re.sub("[.:/]", "-", text)
