"""Which provider plugins `make up` runs on real servers."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.automation import CommandError
from pulumi.automation._cmd import CommandResult

from binaries.console import UserError
from clients.local_servers import FOLDER, environment_file
from sandbox.checkout import Checkout
from sandbox.official import CHOICE, STAND_IN, plugin, plugins, version
from tests.written import ROOT

KUBERNETES = f"pulumi-resource-kubernetes v{version('kubernetes')}"


class Cli:
    """Downloads the packages in `published`, as `pulumi plugin install` does."""

    def __init__(self, home: Path, published: tuple[str, ...] = ()) -> None:
        self._home = home
        self._published = published

    def run(self, args: list[str], cwd: str, env: dict[str, str]) -> CommandResult:
        assert args[:3] == ["plugin", "install", "resource"]
        package, asked = args[3:]
        if package not in self._published:
            raise CommandError(CommandResult(stdout="", stderr="not found", code=1))
        folder = self._home / "plugins" / f"resource-{package}-v{asked}"
        folder.mkdir(parents=True)
        (folder / plugin(package)).touch()
        return CommandResult(stdout="", stderr="", code=0)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is on PATH; nothing can be downloaded."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(CHOICE, raising=False)
    monkeypatch.setattr("binaries.pulumi_cli.downloadable", lambda: False)
    return folder


def install(folder: Path, package: str) -> None:
    program = folder / plugin(package)
    program.touch()
    program.chmod(0o755)


def run(work: Path, is_new: bool, cli: Cli | None = None, servers: object = "some") -> Any:
    checkout: Any = SimpleNamespace(servers=servers, work=work)
    given: Any = cli or Cli(work)
    return list(plugins(checkout, is_new, given))


def test_a_plugin_on_path_runs_and_the_rest_is_simulated(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(path, "kubernetes")
    assert run(tmp_path, is_new=True) == ["kubernetes"]
    said = f"Providers: {KUBERNETES}; the sandbox's stand-in for vault, harbor.\n"
    assert capsys.readouterr().out == said


def test_what_can_be_downloaded_is(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binaries.pulumi_cli.downloadable", lambda: True)
    cli = Cli(tmp_path / "home", published=("vault",))
    assert run(tmp_path, is_new=True, cli=cli) == ["vault"]
    monkeypatch.setattr("binaries.pulumi_cli.downloadable", lambda: False)
    assert run(tmp_path, is_new=True) == ["vault"]


def test_without_any_all_are_simulated(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, is_new=True) == []
    said = "Providers: the sandbox's stand-in for kubernetes, vault, harbor.\n"
    assert capsys.readouterr().out == said


def test_without_servers_there_is_nothing_to_choose(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(path, "kubernetes")
    assert run(tmp_path, is_new=True, servers=None) == []
    assert capsys.readouterr().out == ""


def test_the_stand_in_can_be_chosen(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(path, "kubernetes")
    monkeypatch.setenv(CHOICE, STAND_IN)
    assert run(tmp_path, is_new=True) == []


def test_a_stack_keeps_the_plugins_that_created_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(path, "kubernetes")
    run(tmp_path, is_new=True)
    install(path, "vault")
    monkeypatch.setenv(CHOICE, STAND_IN)
    assert run(tmp_path, is_new=False) == ["kubernetes"]


def test_a_stack_whose_plugin_is_gone_is_refused(path: Path, tmp_path: Path) -> None:
    install(path, "kubernetes")
    run(tmp_path, is_new=True)
    (path / plugin("kubernetes")).unlink()
    with pytest.raises(
        UserError, match="was created with pulumi-resource-kubernetes, which is gone"
    ):
        run(tmp_path, is_new=False)


def prepared(root: Path) -> Path:
    """The sandbox's folder of plugins, in a checkout with servers that is made ready for a run."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copyfile(ROOT / name, root / name)
    environment = environment_file(root / FOLDER)
    environment.parent.mkdir(parents=True, exist_ok=True)
    environment.write_text("export VAULT_ADDR=https://127.0.0.1:1\n")
    with Checkout(root).locked("up"):
        return root / ".sandbox" / "home" / "plugins"


def test_plugins_are_those_of_the_users_own_pulumi(path: Path, tmp_path: Path) -> None:
    plugins = prepared(tmp_path)
    assert plugins.resolve() == tmp_path / "home" / "plugins"
    plugins.resolve().rmdir()
    assert prepared(tmp_path).is_dir()


def test_plugins_that_the_sandbox_has_already_stay(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / ".sandbox" / "home" / "plugins" / "kept"
    kept.mkdir(parents=True)
    assert prepared(tmp_path) == kept.parent
    assert kept.is_dir()


def test_a_stack_that_the_stand_in_created_stays_with_it(path: Path, tmp_path: Path) -> None:
    install(path, "kubernetes")
    assert run(tmp_path, is_new=False) == []
