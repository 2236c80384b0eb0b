"""`make`'s commands with servers that refuse what a test names, and commands on the state.

`python -m tests.engine.refusing COMMAND`, in a checkout that has been copied without tests. In
`.sandbox/refused` there stand regular expressions for `create|update|delete Kind name`, one a line.

`hasty` is `pulumi up --skip-preview`; `export FILE`, `import FILE` are `pulumi stack`'s;
`move TEAM` is what docs/operations.md says of a team that gets a stack of its own.
"""

import argparse
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
from pulumi.runtime.proto import provider_pb2

from binaries import display
from sandbox import engine, provider
from sandbox.engine import Engine

FILE = Path(".sandbox/refused")


class Providers(provider.Providers):
    """The sandbox's, but for what is refused."""

    def Create(  # noqa: N802 - named by the protocol
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        if not request.preview:
            refuse("create", request.urn, context)
        return super().Create(request, context)

    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        if not request.preview:
            refuse("update", request.urn, context)
        return super().Update(request, context)

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        refuse("delete", request.urn, context)
        return super().Delete(request, context)


def refuse(operation: str, urn: str, context: grpc.ServicerContext) -> None:
    """Abort the call if the file says so."""
    _, _, types, name = urn.split("::", 3)
    asked = f"{operation} {types.rpartition(':')[2]} {name}"
    rules = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    if any(re.fullmatch(rule, asked) for rule in rules):
        context.abort(grpc.StatusCode.PERMISSION_DENIED, f"not allowed to {asked}")


def hasty(_: str, engine: Engine) -> None:
    """`pulumi up --skip-preview`."""
    engine.stack.up(**display.settings(engine.colour))


def export(file: str, engine: Engine) -> None:
    """The state, into a file."""
    engine.stack.cli("stack", "export", "--file", file)


def restore(file: str, engine: Engine) -> None:
    """The state, from a file."""
    engine.stack.cli("stack", "import", "--file", file)


def move(team: str, engine: Engine) -> None:
    """All of a team into the stack that is named as it is."""
    components = rf"::sre:platform:(Tenant::{team}|App::{team}/[^/]*)$"
    urns = [one["urn"] for one in engine.existing if re.search(components, one["urn"])]
    workspace = engine.stack.workspace
    for command in (
        ["stack", "init", "--no-select", team],
        ["state", "move", "--yes", "--source", "dev", "--dest", team, *urns],
    ):
        workspace.pulumi_command.run(command, workspace.work_dir, {})


def main() -> int:
    """Run a command of `make`, or one of the four above."""
    parser = argparse.ArgumentParser(description=__doc__)
    more = {"hasty": hasty, "export": export, "import": restore, "move": move}
    parser.add_argument("command", choices=[*engine.COMMANDS, *more])
    parser.add_argument("argument", nargs="?", default="")
    arguments = parser.parse_args()
    commands = {name: partial(command, arguments.argument) for name, command in more.items()}
    with (
        mock.patch.object(provider, "Providers", Providers),
        mock.patch.dict(engine.COMMANDS, commands),
    ):
        return engine.run(arguments.command, Path.cwd())


if __name__ == "__main__":
    sys.exit(main())
