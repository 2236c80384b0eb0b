"""Stack `dev` on real servers with the official Pulumi: CLI, language host, provider plugins."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from clients.harbor import harbor_of
from clients.kubernetes import Cluster
from clients.openbao import OpenBao
from sandbox import pulumi_cli
from sandbox.servers.record import running
from specs.settings import Settings
from tests.program import ROOT

LEFT_OUT = shutil.ignore_patterns(".venv", ".sandbox", ".git", "__pycache__", ".*_cache", "tests")
PROVIDERS = {
    "kubernetes": "pulumi_kubernetes",
    "vault": "pulumi_vault",
    "harbor": "pulumiverse_harbor",
}
STACK = "dev"


@dataclass(frozen=True)
class Official:
    """The official CLI in a copy of the checkout, and administrators of the servers behind it."""

    cli: str
    folder: Path
    environment: dict[str, str]
    cluster: Cluster
    openbao: OpenBao

    def pulumi(self, *command: str) -> str:
        """Runs `pulumi COMMAND --stack dev`, which must succeed; what it printed."""
        done = subprocess.run(
            [self.cli, *command, "--stack", STACK, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """Empty servers, and a stack that was never up; skips where the plugins cannot be had."""
    cli = _cli_with_plugins()
    folder = tmp_path_factory.mktemp("e2e") / "checkout"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    _settle_groups(folder / f"Pulumi.{STACK}.yaml")
    try:
        _sandbox(folder, "servers")
        servers = running(folder)
        assert servers
        environment = _sourced(servers.folder / "environment")
        openbao = OpenBao(
            servers.environment["VAULT_ADDR"], servers.environment["VAULT_TOKEN"], servers.ca_cert
        )
        cluster = Cluster(kubeconfig=servers.kubeconfig)
        yield Official(cli, folder, environment, cluster, openbao)
    finally:
        _sandbox(folder, "servers-down")


def _settle_groups(file: Path) -> None:
    """A Harbor with accounts of its own takes no groups; the stack's file must say so."""
    if not os.environ.get("HARBOR_URL"):
        return
    stack = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings = Settings.model_validate(stack["config"])
    if harbor_of(settings.harbor).get("systeminfo")["auth_mode"] == "db_auth":
        stack["config"]["sre-platform:harbor"]["mapGroups"] = False
        file.write_text(yaml.safe_dump(stack), encoding="utf-8")


def _sandbox(folder: Path, command: str) -> None:
    subprocess.run([sys.executable, "-m", "sandbox", command], cwd=folder, check=True)


def _sourced(file: Path) -> dict[str, str]:
    """The environment of a shell that has read `file`: all that `pulumi` is given."""
    shown = subprocess.run(
        ["bash", "-c", f'. "{file}" && env -0'], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in shown.split("\0") if line)


def _cli_with_plugins() -> str:
    """The CLI, if it and its plugins are on PATH or can be downloaded; else skips the test."""
    downloadable = pulumi_cli.downloadable()
    cli = shutil.which("pulumi") or (pulumi_cli.find().command if downloadable else None)
    host = "pulumi-language-python"
    missing = [] if cli else ["pulumi"]
    if not (shutil.which(host) or (cli and (Path(cli).resolve().parent / host).exists())):
        missing.append(host)
    missing += [
        f"pulumi-resource-{name}"
        for name, module in PROVIDERS.items()
        if not (downloadable or _has_provider(name, metadata.version(module)))
    ]
    if cli is None or missing:
        pytest.skip(
            f"the official plugins cannot be had: {', '.join(missing)} not on PATH, "
            "and get.pulumi.com does not answer"
        )
    return str(cli)


def _has_provider(name: str, version: str) -> bool:
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    cached = home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"
    return bool(shutil.which(f"pulumi-resource-{name}")) or cached.exists()
