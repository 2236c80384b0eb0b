"""The official provider plugins, which `make up` runs on real servers if they are available."""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from pulumi.automation import CommandError, PulumiCommand

from binaries import pulumi_cli
from binaries.console import UserError, say
from sandbox.checkout import Checkout
from sandbox.provider import SDKS

# The packages with real servers: there is no local Harbor.
PACKAGES = ("kubernetes", "vault")

# `stand-in` keeps the sandbox's own providers on real servers too.
CHOICE, STAND_IN = "SANDBOX_PROVIDERS", "stand-in"


def plugins(checkout: Checkout, is_new: bool, cli: PulumiCommand) -> Sequence[str]:
    """The packages whose official plugin will run; each is where the engine finds it.

    A new stack uses all available plugins. Later runs use the same ones, because a plugin cannot
    continue from what another wrote into the state. Raises UserError if one is gone.
    """
    if checkout.servers is None:
        return ()
    record = checkout.work / "official.json"
    if is_new:
        wanted = () if os.environ.get(CHOICE) == STAND_IN else PACKAGES
    else:
        wanted = json.loads(record.read_text(encoding="utf-8")) if record.exists() else ()
    home = Path(os.environ["PULUMI_HOME"])
    missing = [package for package in wanted if not is_installed(package, home)]
    if missing and pulumi_cli.downloadable():
        for package in missing:
            _download(package, cli)
    found = [package for package in wanted if is_installed(package, home)]
    if is_new:
        record.write_text(json.dumps(found), encoding="utf-8")
    elif gone := [package for package in wanted if package not in found]:
        raise UserError(
            f"This stack was created with {plugin(gone[0])}, which is gone; put it on PATH."
        )
    say(_providers_line(found))
    return found


def plugin(package: str) -> str:
    """The name of its program."""
    return f"pulumi-resource-{package}"


def version(package: str) -> str:
    """The SDK's version: the SDK asks the engine for a plugin no older than itself."""
    return metadata.version(SDKS[package])


def is_installed(package: str, home: Path) -> bool:
    """Whether its plugin is on PATH, or in the PULUMI_HOME `home`."""
    downloaded = home / "plugins" / f"resource-{package}-v{version(package)}" / plugin(package)
    return bool(shutil.which(plugin(package))) or downloaded.exists()


def _download(package: str, cli: PulumiCommand) -> None:
    say(f"Downloading {plugin(package)} v{version(package)} ...")
    with suppress(CommandError):  # the CLI has shown it
        cli.run(["plugin", "install", "resource", package, version(package)], str(Path.cwd()), {})


def _providers_line(official: Sequence[str]) -> str:
    stand_ins = [package for package in (*PACKAGES, "harbor") if package not in official]
    parts = [f"{plugin(package)} v{version(package)}" for package in official]
    parts.append(f"the sandbox's stand-in for {', '.join(stand_ins)}")
    return f"Providers: {'; '.join(parts)}."
