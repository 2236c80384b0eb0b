"""The three commands: the checkout's program on the real Pulumi engine, with the stand-in."""

import json
import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError, LocalWorkspace, Stack

from sandbox import display, provider, pulumi_cli, summary
from sandbox.checkout import STACK, Checkout
from sandbox.cli_process import CliProcess
from sandbox.console import Refusal, say

ROOT = Path(__file__).parents[1]
INTERRUPTED = 130  # the shell's exit code for "ended by Ctrl-C"


def up(root: Path = ROOT) -> int:
    """Create or update everything; the exit code."""
    with _engine(root, "up") as engine:
        engine.rehearse()
        result = engine.stack.up(**display.settings(engine.colour))
        for line in summary.table(result.outputs, engine.resources()):
            say(line)
    return engine.code


def preview(root: Path = ROOT) -> int:
    """Show what `up` would change, change nothing; the exit code."""
    with _engine(root, "preview") as engine:
        # Old and new values of what changes; of a first preview, only what there will be.
        engine.stack.preview(diff=bool(engine.resources()), **display.settings(engine.colour))
    return engine.code


def down(root: Path = ROOT) -> int:
    """Take everything away, what is protected too; the exit code."""
    if not Checkout(root).state.exists():
        say("There is nothing to take down.")
        return 0
    with _engine(root, "down") as engine:
        if not engine.resources():
            say("There is nothing to take down.")
        else:
            engine.run("state", "unprotect", "--all", "--yes")
            engine.stack.destroy(**display.settings(engine.colour))
            if left := engine.resources():
                raise Refusal(f"{len(left)} resources are left; run `make down` again.")
            say("Nothing is left of the sandbox's stack.")
    return engine.code


@dataclass
class Engine:
    """A run of the engine for one command, and the exit code that it leads to."""

    stack: Stack
    cli: CliProcess
    colour: bool
    code: int = 0

    def rehearse(self) -> None:
        """Preview in silence, but show one that fails: `up` alone deletes up to what is protected.

        `pulumi up` does so as well; the Automation API leaves it out.
        """
        lines: list[str] = []
        try:
            self.stack.preview(**display.settings(self.colour, lines.append, lines.append))
        except CommandError:
            if not self.cli.interrupted:
                for line in lines:
                    say(line)
            raise

    def run(self, *args: str) -> str:
        """Run a CLI command on the stack; its output."""
        work_dir = self.stack.workspace.work_dir
        return self.cli.run([*args, "--stack", STACK], work_dir, {}).stdout

    def deployment(self) -> dict[str, Any]:
        """The stack's state, its secrets encrypted."""
        exported: dict[str, Any] = json.loads(self.run("stack", "export"))
        return exported

    def resources(self) -> list[dict[str, Any]]:
        return self.deployment()["deployment"].get("resources") or []


@contextmanager
def _engine(root: Path, command: str) -> Iterator[Engine]:
    """The stack, recovered from whatever the last run left, and the stand-in beside it.

    A CLI that fails has said why by then; its exit code becomes ours.
    """
    checkout = Checkout(root)
    with checkout.locked(command) as lock, checkout.environment():
        checkout.prepare()
        cli = CliProcess(pulumi_cli.find(), lock)
        with cli.signals_passed_on():
            workspace = LocalWorkspace(
                work_dir=str(checkout.work),
                program=lambda: _program(checkout.root),
                pulumi_command=cli,
            )
            terminal = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            engine = Engine(Stack.create_or_select(STACK, workspace), cli, terminal)
            resources = _recover(engine, checkout)
            with provider.serve(resources) as providers:
                os.environ["PULUMI_DEBUG_PROVIDERS"] = providers
                try:
                    yield engine
                except (CommandError, KeyboardInterrupt):
                    engine.code = INTERRUPTED if cli.interrupted else 1
    if cli.interrupted:
        say(f"Interrupted; the next `make {command}` carries on from here.")


def _recover(engine: Engine, checkout: Checkout) -> list[dict[str, Any]]:
    """Undo what a killed run leaves behind; the resources that exist.

    Nobody else can be at work, as we hold the checkout's lock. And an operation that was cut short
    has left nothing, as the stand-in starts from the state alone.
    """
    if any((checkout.state / ".pulumi" / "locks").rglob("*.json")):
        engine.stack.cancel()
    exported = engine.deployment()
    deployment = exported["deployment"]
    if pending := deployment.pop("pending_operations", None):
        say(f"The last run was cut short: {len(pending)} unfinished operations are forgotten.")
        file = checkout.work / "recovered.json"
        file.write_text(json.dumps(exported), encoding="utf-8")
        engine.run("stack", "import", "--file", str(file))
        file.unlink()
    return deployment.get("resources") or []


def _program(root: Path) -> None:
    """What `pulumi up` does with the checkout's program."""
    sys.path.insert(0, str(root))
    with chdir(root):
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")
