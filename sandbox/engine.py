"""The three commands: the checkout's program on the real Pulumi engine, with the stand-in."""

import json
import os
import runpy
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError

from binaries import display, pulumi_cli
from binaries.cli_process import CliProcess, Signals
from binaries.console import (
    INTERRUPTED,
    UserError,
    complain,
    say,
)
from sandbox import official, provider, summary
from sandbox.checkout import STACK, Checkout
from sandbox.package import RealServer, ServerError
from sandbox.quick_stack import QuickStack
from sandbox.servers.registry_users import RegistryUsers

ROOT = Path(__file__).parents[1]


def run(command: str, root: Path = ROOT, refresh: bool = False) -> int:
    """Run "up", "preview" or "down" in a checkout; return the exit code. Failures are reported.

    With `refresh`, it first reads the servers, so that changes by others are seen.
    """
    checkout = Checkout(root)
    if command == "down" and not checkout.state.exists():
        say(NOTHING)
        return 0
    try:
        with _engine(checkout, command, refresh) as engine:
            COMMANDS[command](engine)
    except UserError as error:
        complain(str(error))
        return 1
    except CommandError:
        return 1
    except KeyboardInterrupt:
        complain(f"Interrupted; the next `make {command}` carries on from here.")
        return INTERRUPTED
    return 0


@dataclass
class Engine:
    """The engine, ready to run the checkout's program for one command.

    `refresh`: read the servers first. `existing` are the resources in the stack's state before the
    command.
    """

    stack: QuickStack
    checkout: Checkout
    colour: bool
    refresh: bool
    existing: list[dict[str, Any]] = field(default_factory=list)


def up(engine: Engine) -> None:
    """Create or update everything, then show what exists.

    `pulumi up` previews first, and so finds most mistakes before it changes anything; without that
    it would delete a team up to the first protected object. The Automation API skips the preview.
    """
    lines: list[str] = []
    try:
        engine.stack.preview(
            refresh=engine.refresh,
            **display.settings(engine.colour, lines.append, lines.append),
        )
    except CommandError:
        for line in lines:
            say(line)
        if any("because it is protected" in line for line in lines):
            complain(PROTECTED)
        raise
    with _marked(engine.checkout):
        engine.stack.up(refresh=engine.refresh, **display.settings(engine.colour))
    resources = _resources(engine.stack.export())
    for line in summary.table(resources, engine.checkout.servers):
        say(line)


def preview(engine: Engine) -> None:
    """Show what `up` would change: old and new values or, the first time, all new objects."""
    engine.stack.preview(
        diff=bool(engine.existing), refresh=engine.refresh, **display.settings(engine.colour)
    )


def down(engine: Engine) -> None:
    """Remove everything, including protected resources."""
    if not engine.existing:
        say(NOTHING)
        return
    engine.stack.cli("state", "unprotect", "--all", "--yes")
    with _marked(engine.checkout):
        engine.stack.destroy(refresh=engine.refresh, **display.settings(engine.colour))
    where = "on the servers" if engine.checkout.servers else "of the sandbox"
    say(f"Nothing is left {where}.")


COMMANDS = {"up": up, "preview": preview, "down": down}
PROTECTED = (
    "Nothing was changed, because resources that hold data are protected. Restore what you "
    "removed, or remove the whole sandbox with `make down`."
)
NOTHING = "There is nothing to remove."


@contextmanager
def _engine(checkout: Checkout, command: str, refresh: bool) -> Generator[Engine]:
    """The stack, recovered from whatever the last run left, and the providers."""
    with checkout.locked(command) as lock, checkout.environment(), Signals() as signals:
        cancelled = threading.Event()
        servers = _connected(checkout, cancelled)
        cli = CliProcess(pulumi_cli.find(), lock, signals)
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        stack = QuickStack(STACK, str(checkout.work), lambda: _program(checkout.root), cli)
        engine = Engine(stack, checkout, colour, refresh)
        state = _recovered(engine, servers)
        found = official.plugins(checkout, not _resources(state), cli)
        registry = RegistryUsers.of_started(checkout.servers.folder) if checkout.servers else None
        serving = provider.serve(_resources(state), servers, cancelled, found, registry)
        with serving as providers:
            os.environ["PULUMI_DEBUG_PROVIDERS"] = providers
            if checkout.unfinished.exists():
                _look(engine)
                state = engine.stack.export()
            engine.existing = _resources(state)
            yield engine


def _connected(checkout: Checkout, cancelled: threading.Event) -> dict[str, RealServer]:
    """The checkout's real servers by package, if it has any."""
    if checkout.servers is None:
        return {}
    from sandbox.real import connect  # the kubernetes package takes two seconds to load

    return connect(checkout.servers, cancelled)


@contextmanager
def _marked(checkout: Checkout) -> Generator[None]:
    """Changes something on real servers: if that fails, the next run reads them first."""
    if checkout.servers:
        checkout.unfinished.touch()
    yield
    checkout.unfinished.unlink(missing_ok=True)


def _recovered(engine: Engine, servers: Mapping[str, RealServer]) -> dict[str, Any]:
    """The state, without leftovers of a killed run.

    Nobody else can be running, because this process holds the checkout's lock. In memory, an
    interrupted operation left nothing; on a real server, the object may have been created.
    """
    if any((engine.checkout.state / ".pulumi" / "locks").rglob("*.json")):
        engine.stack.cancel()
    state = engine.stack.state
    if pending := state["deployment"].pop("pending_operations", None):
        if not servers:
            say(f"The last run was cut short: {len(pending)} unfinished operations are dropped.")
        made = [op["resource"] for op in pending if op["type"] == "creating"]
        known = {resource["urn"] for resource in _resources(state)}
        for resource in made:
            id = _left_behind(resource, servers)
            if id and resource["urn"] not in known:
                found = {**resource, "id": id, "outputs": resource["inputs"]}
                state["deployment"].setdefault("resources", []).append(found)
        file = engine.checkout.work / "recovered.json"
        file.write_text(json.dumps(state), encoding="utf-8")
        engine.stack.cli("stack", "import", "--file", str(file))
        file.unlink()
    return state


def _left_behind(resource: Mapping[str, Any], servers: Mapping[str, RealServer]) -> str | None:
    """The ID of the object that an interrupted creation left, if it did."""
    package, _, kind = resource["type"].partition(":")
    if package not in servers:
        return None
    try:
        return servers[package].left_behind(kind, resource["inputs"])
    except ServerError as error:
        raise UserError(str(error)) from None


def _look(engine: Engine) -> None:
    """Update the state from the servers, which the last run left unfinished."""
    say("The last run did not finish; reading what it left on the servers.")
    lines: list[str] = []
    try:
        engine.stack.refresh(**display.settings(False, lines.append, lines.append))
    except CommandError:
        for line in lines:
            say(line)
        raise
    engine.checkout.unfinished.unlink()


def _resources(state: dict[str, Any]) -> list[dict[str, Any]]:
    return state["deployment"].get("resources") or []


def _program(root: Path) -> None:
    """What `pulumi up` does with the checkout's program."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    with chdir(root):
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")
