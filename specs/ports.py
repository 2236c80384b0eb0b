"""Ports on which others reach an app, and what is spoken there."""

from typing import Annotated, Literal

from pydantic import Field

from specs.base import Port, Spec, matching

Protocol = Literal["http", "http2", "grpc", "tcp", "tls"]
HTTP_PROTOCOLS = ("http", "http2")
# The gateway routes these by host and path: gRPC is HTTP/2.
ROUTED_PROTOCOLS = (*HTTP_PROTOCOLS, "grpc")

# Names of a container's ports: of the main one, whatever is spoken there, so that old pods stay in
# the Service while `protocol` changes; and of the one from which Prometheus reads metrics.
MAIN, METRICS = "http", "metrics"

PortName = Annotated[
    str,
    matching(
        r"(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?",
        "is not a port's name; write up to 15 lower-case letters, digits and '-', such as admin",
    ),
]


class AppPort(Spec):
    """A port beside the main one."""

    name: PortName = Field(
        description="Name of the port; Prometheus reads the app's metrics from one named "
        "`metrics`.",
        examples=["admin"],
    )
    port: Port = Field(
        description="Number of the port, of the container and of the Service.", examples=["9000"]
    )
    protocol: Protocol = Field("http", description="What is spoken there.")
