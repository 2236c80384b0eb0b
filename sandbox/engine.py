"""The three commands: the checkout's program on the real Pulumi engine, with the stand-in."""

import json
import os
import runpy
import sys
from collections.abc import Generator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError, LocalWorkspace, Stack

from sandbox import display, provider, pulumi_cli, summary
from sandbox.checkout import STACK, Checkout
from sandbox.cli_process import CliProcess, Signals
from sandbox.console import INTERRUPTED, UserError, complain, say

ROOT = Path(__file__).parents[1]


def run(command: str, root: Path = ROOT) -> int:
    """Run "up", "preview" or "down" in a checkout; the exit code. Why it failed has been said."""
    checkout = Checkout(root)
    if command == "down" and not checkout.state.exists():
        say(NOTHING)
        return 0
    try:
        with _engine(checkout, command) as engine:
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

    `existing` are the resources in the stack's state before the command.
    """

    stack: Stack
    colour: bool
    existing: list[dict[str, Any]] = field(default_factory=list)

    def cli(self, *args: str) -> str:
        """Run a CLI command on the stack; its output."""
        workspace = self.stack.workspace
        command = [*args, "--stack", STACK]
        return workspace.pulumi_command.run(command, workspace.work_dir, {}).stdout

    def export(self) -> dict[str, Any]:
        """The stack's state, its secrets encrypted."""
        state: dict[str, Any] = json.loads(self.cli("stack", "export"))
        return state


def up(engine: Engine) -> None:
    """Create or update everything, then show what exists.

    `pulumi up` previews first, and so finds most mistakes before it changes anything; without that
    it would delete a team up to the first protected object. The Automation API leaves it out.
    """
    lines: list[str] = []
    try:
        engine.stack.preview(**display.settings(engine.colour, lines.append, lines.append))
    except CommandError:
        for line in lines:
            say(line)
        if any("because it is protected" in line for line in lines):
            complain(PROTECTED)
        raise
    result = engine.stack.up(**display.settings(engine.colour))
    resources = engine.export()["deployment"]["resources"]
    for line in summary.table(result.outputs, resources):
        say(line)


def preview(engine: Engine) -> None:
    """Show what `up` would change: old and new values, or, the first time, what there will be."""
    engine.stack.preview(diff=bool(engine.existing), **display.settings(engine.colour))


def down(engine: Engine) -> None:
    """Take everything away, what is protected too."""
    if not engine.existing:
        say(NOTHING)
        return
    engine.cli("state", "unprotect", "--all", "--yes")
    engine.stack.destroy(**display.settings(engine.colour))
    say("Nothing is left of the sandbox.")


COMMANDS = {"up": up, "preview": preview, "down": down}
PROTECTED = (
    "Nothing was changed, as what holds data is protected. Put back what you have removed, "
    "or take the whole sandbox away with `make down`."
)
NOTHING = "There is nothing to take down."


@contextmanager
def _engine(checkout: Checkout, command: str) -> Generator[Engine]:
    """The stack, recovered from whatever the last run left, and the stand-in beside it."""
    with checkout.locked(command) as lock, checkout.environment(), Signals() as signals:
        workspace = LocalWorkspace(
            work_dir=str(checkout.work),
            program=lambda: _program(checkout.root),
            pulumi_command=CliProcess(pulumi_cli.find(), lock, signals),
        )
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        engine = Engine(Stack.create_or_select(STACK, workspace), colour)
        engine.existing = _recover(engine, checkout)
        with provider.serve(engine.existing) as providers:
            os.environ["PULUMI_DEBUG_PROVIDERS"] = providers
            yield engine


def _recover(engine: Engine, checkout: Checkout) -> list[dict[str, Any]]:
    """Undo what a killed run leaves behind; the resources in the state.

    Nobody else can be at work, as we hold the checkout's lock. And an operation that was cut short
    has left nothing, as the stand-in starts from the state alone.
    """
    if any((checkout.state / ".pulumi" / "locks").rglob("*.json")):
        engine.stack.cancel()
    state = engine.export()
    if pending := state["deployment"].pop("pending_operations", None):
        say(f"The last run was cut short: {len(pending)} unfinished operations are forgotten.")
        file = checkout.work / "recovered.json"
        file.write_text(json.dumps(state), encoding="utf-8")
        engine.cli("stack", "import", "--file", str(file))
        file.unlink()
    return state["deployment"].get("resources") or []


def _program(root: Path) -> None:
    """What `pulumi up` does with the checkout's program."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    with chdir(root):
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")
