"""A checkout with a stack for the platform and one per team, on the sandbox's servers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.fleet import served
from tests.checkouts import Checkout, Run
from tests.program import read_yaml

# The outcomes of a run that has nothing to do.
UNCHANGED = dict.fromkeys(("platform", "team-alpha", "team-beta"), "unchanged")


class FleetCheckout(Checkout):
    """Its stacks are platform, team-alpha and team-beta; commands are those of `./sre`."""

    module = "cli"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for file in self.folder.glob("Pulumi.*-*.yaml"):
            file.unlink()
        self.write_stack("platform", teams=[], platform=True)
        for team in self.folder.glob("tenants/*.yaml"):
            self.write_stack(team.stem, teams=[team.stem], platform=False)

    def write_stack(self, name: str, **settings: object) -> None:
        """Like stack dev, with these settings."""
        stack = read_yaml((self.folder / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
        stack["config"].update({f"sre-platform:{key}": value for key, value in settings.items()})
        text = yaml.dump(stack)
        (self.folder / f"Pulumi.{name}.yaml").write_text(text, encoding="utf-8")

    @property
    def state_files(self) -> list[Path]:
        return sorted(self.folder.glob(".sandbox/state/.pulumi/stacks/sre-platform/*.json"))

    @property
    def locks(self) -> Path:
        """The backend's own, a folder for each stack."""
        return self.folder / ".sandbox/state/.pulumi/locks/organization/sre-platform"

    @property
    def writers(self) -> Path:
        """Who changed objects; see `tests.engine.fleet_providers`."""
        return self.folder / ".sandbox" / "writers"

    @contextmanager
    def servers(self) -> Iterator[Mapping[str, str]]:
        """The environment of commands while the stand-in for the servers runs."""
        state = self.folder / ".sandbox" / "state"
        with served(self.folder, "tests.engine.fleet_providers", state, self.writers) as found:
            yield found


def report(run: Run) -> dict[str, Any]:
    """Each stack's result by its name; the report comes after the lines of progress."""
    found = json.loads(run.output[run.output.index("{\n") :])
    return {one["stack"]: one for one in found["stacks"]}


def outcomes(run: Run) -> dict[str, str]:
    return {stack: one["outcome"] for stack, one in report(run).items()}
