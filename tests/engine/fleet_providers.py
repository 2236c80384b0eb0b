"""`python -m tests.engine.fleet_providers STATE WRITERS`: the stand-in for all stacks' servers.

It starts with what the states in the folder list, and serves until its input ends. Each change of
an object adds a line to the file WRITERS: its stack, its package, and the engine that asked.
"""

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
from pulumi.runtime.proto import provider_pb2

from sandbox import provider


class Providers(provider.Providers):
    """The sandbox's, which also note who writes."""

    writers: Path

    def Create(  # noqa: N802 - named by the protocol
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        if not request.preview:
            self._note(request.urn, context)
        return super().Create(request, context)

    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        if not request.preview:
            self._note(request.urn, context)
        return super().Update(request, context)

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._note(request.urn, context)
        return super().Delete(request, context)

    def _note(self, urn: str, context: grpc.ServicerContext) -> None:
        stack = urn.removeprefix("urn:pulumi:").partition("::")[0]
        package = urn.split("::")[2].rpartition("$")[2].partition(":")[0]
        with self.writers.open("a", encoding="utf-8") as file:
            file.write(f"{stack} {package} {context.peer()}\n")


def main(state: Path, writers: Path) -> None:
    """Print the value of PULUMI_DEBUG_PROVIDERS first."""
    resources = [
        resource
        for file in sorted(state.glob(".pulumi/stacks/sre-platform/*.json"))
        for resource in json.loads(file.read_text())["checkpoint"]["latest"].get("resources") or []
    ]
    Providers.writers = writers
    with (
        mock.patch.object(provider, "Providers", Providers),
        provider.serve(resources) as providers,
    ):
        print(providers, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
