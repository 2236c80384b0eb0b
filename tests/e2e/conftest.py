"""Stack `dev` on real servers with the official Pulumi: CLI, language host, provider plugins."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from binaries import pulumi_cli
from clients.harbor import harbor_of
from clients.kubernetes import Cluster
from clients.openbao import OpenBao
from sandbox.checkout import user_home
from sandbox.official import is_installed, plugin
from sandbox.provider import SDKS
from specs.settings import Settings
from tests.checkouts import ROOT, Checkout, finished
from tests.servers.conftest import cluster_of, openbao_of, settle, sourced, started

HOST = "pulumi-language-python"
STACK = "dev"
WITHIN = 15 * 60  # seconds, for a command; the first downloads the plugins


@dataclass(frozen=True)
class Official:
    """The official CLI in a copy of the checkout, and administrators of the servers behind it."""

    cli: str
    checkout: Checkout
    environment: dict[str, str]
    cluster: Cluster
    openbao: OpenBao

    def pulumi(self, *command: str, stack: str = STACK, of: Checkout | None = None) -> str:
        """Runs `pulumi COMMAND`, which must succeed; what it printed."""
        options = ("--stack", stack, "--non-interactive", "--color", "never")
        arguments = [self.cli, *command, *options]
        process = (of or self.checkout).start_program(arguments, self.environment)
        run = finished(process, WITHIN)
        assert run.code == 0, run.output
        return run.output

    def nothing_differs(self) -> None:
        """Asserts that a refreshing preview changes nothing once autoscalers have acted."""
        settle(self.cluster)
        self.pulumi("preview", "--refresh", "--expect-no-changes")


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """Empty servers, and a stack that was never up; skips where the plugins cannot be had."""
    cli = _cli_with_plugins()
    checkout = Checkout(tmp_path_factory.mktemp("e2e") / "checkout")
    (checkout.folder / ".venv").symlink_to(ROOT / ".venv")
    _settle_groups(checkout.folder / f"Pulumi.{STACK}.yaml")
    with started(checkout):
        environment = sourced(checkout, **os.environ)
        yield Official(cli, checkout, environment, cluster_of(checkout), openbao_of(checkout))


def _settle_groups(file: Path) -> None:
    """A Harbor with its own accounts accepts no groups; the stack's file must say so."""
    if not os.environ.get("HARBOR_URL"):
        return
    stack = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings = Settings.model_validate(stack["config"])
    if harbor_of(settings.harbor).get("systeminfo")["auth_mode"] == "db_auth":
        stack["config"]["sre-platform:harbor"]["mapGroups"] = False
        file.write_text(yaml.safe_dump(stack), encoding="utf-8")


def _cli_with_plugins() -> str:
    """The CLI, if it and its plugins are installed or can be downloaded; else skips the test."""
    downloadable = pulumi_cli.downloadable()
    cli = shutil.which(pulumi_cli.find().command if downloadable else "pulumi")
    missing = [] if cli else ["pulumi"]
    if not (shutil.which(HOST) or (cli and Path(cli).resolve().with_name(HOST).exists())):
        missing.append(HOST)
    if not downloadable:
        missing += [plugin(name) for name in SDKS if not is_installed(name, user_home())]
    if cli and not missing:
        return cli
    reason = f"not installed: {', '.join(missing)}"
    pytest.skip(reason if downloadable else f"{reason}; get.pulumi.com does not answer")
