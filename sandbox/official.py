"""The official provider plugins, which `make up` runs on real servers if they are available."""

import json
import os
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from pulumi.automation import CommandError, PulumiCommand

from binaries import pulumi_cli
from binaries.console import UserError, say
from sandbox.checkout import Checkout

# By package, the SDK that has the plugin's version. There is no local Harbor.
SDKS = {"kubernetes": "pulumi-kubernetes", "vault": "pulumi-vault"}

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
        wanted = () if os.environ.get(CHOICE) == STAND_IN else tuple(SDKS)
        found = [package for package in wanted if _is_there(package) or _download(package, cli)]
        record.write_text(json.dumps(found), encoding="utf-8")
    else:
        found = json.loads(record.read_text(encoding="utf-8")) if record.exists() else []
        for package in found:
            if not _is_there(package) and not _download(package, cli):
                raise UserError(
                    f"This stack was made with {plugin(package)}, which is gone; put it on PATH."
                )
    say(_told(found))
    return found


def plugin(package: str) -> str:
    """The name of its program."""
    return f"pulumi-resource-{package}"


def version(package: str) -> str:
    """The SDK's version: the SDK asks the engine for a plugin no older than itself."""
    return metadata.version(SDKS[package])


def _is_there(package: str) -> bool:
    downloaded = Path(
        os.environ["PULUMI_HOME"], "plugins", f"resource-{package}-v{version(package)}"
    )
    return bool(shutil.which(plugin(package))) or (downloaded / plugin(package)).exists()


def _download(package: str, cli: PulumiCommand) -> bool:
    if not pulumi_cli.downloadable():
        return False
    say(f"Downloading {plugin(package)} v{version(package)} ...")
    try:
        cli.run(["plugin", "install", "resource", package, version(package)], str(Path.cwd()), {})
    except CommandError:
        return False
    return _is_there(package)


def _told(official: Sequence[str]) -> str:
    stand_ins = [package for package in (*SDKS, "harbor") if package not in official]
    parts = [f"{plugin(package)} v{version(package)}" for package in official]
    parts.append(f"the sandbox's stand-in for {', '.join(stand_ins)}")
    return f"Providers: {'; '.join(parts)}."
