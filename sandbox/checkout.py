"""The sandbox's part of a checkout: the folder `.sandbox/`, its lock and its environment."""

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from binaries.console import UserError
from clients.local_servers import running
from dryrun.placeholder_kubeconfig import placeholder
from specs.settings import PREFIX
from specs.stack_file import stack_config

STACK = "dev"
ORPHAN_ENDS_WITHIN = 30  # seconds

# Settings of the user's own servers; none of them may reach the program or the engine.
FOREIGN_PREFIXES = ("PULUMI_", "VAULT_", "BAO_", "HARBOR_", "KUBE", "SRE_PLATFORM_")

# Keys of a stack's file about how its secrets are encrypted. The sandbox has its own.
secrets_settings = re.compile(r"^(encryptionsalt|secretsprovider|encryptedkey):.*\n?", re.MULTILINE)
own_salt = re.compile(r"^encryptionsalt:.*$", re.MULTILINE)


class Checkout:
    """A checkout of the platform; only `.sandbox/` in it is written to.

    `servers` are those that `make servers` started there. Their objects have a separate state,
    because the stand-in has other objects.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.folder = self.root / ".sandbox"
        self.servers = running(root)
        place = self.servers.folder if self.servers else self.folder
        self.work = place / "work"
        self.state = place / "state"
        # It exists while a run works on real servers, and after a run that did not succeed.
        self.unfinished = place / "unfinished"

    @contextmanager
    def locked(self, command: str) -> Generator[IO[str]]:
        """Hold the lock, with the folder ready; raise UserError if another run has it."""
        for folder in (self.folder, self.work, self.state, self.folder / "home"):
            folder.mkdir(exist_ok=True)
        with (self.folder / "lock").open("a+", encoding="utf-8") as lock:
            self._take(lock)
            lock.truncate(0)
            lock.write(f"{os.getpid()} make {command}")
            lock.flush()
            self._prepare()
            yield lock

    def _take(self, lock: IO[str]) -> None:
        deadline = time.monotonic() + ORPHAN_ENDS_WITHIN
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                pid, _, command = lock.read().partition(" ")
            if _runs(pid):
                raise UserError(f"`{command}` (process {pid}) is running here; wait for it to end.")
            if time.monotonic() > deadline:
                raise UserError(
                    "The engine of a killed run does not end; stop the process `pulumi`."
                )
            time.sleep(0.2)

    def _prepare(self) -> None:
        """Write what a run needs: settings copied from the checkout, passphrase."""
        self._keep_no_logs()
        if self.servers:
            self._share_plugins()
        for unfinished in self.state.rglob("*.tmp"):  # from a run that was killed while writing
            unfinished.unlink()
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        shutil.copyfile(self.root / "Pulumi.yaml", self.work / "Pulumi.yaml")
        copy = self.work / f"Pulumi.{STACK}.yaml"
        salt = own_salt.search(copy.read_text(encoding="utf-8")) if copy.exists() else None
        original = (self.root / copy.name).read_text(encoding="utf-8")
        settings = secrets_settings.sub("", original).rstrip() + "\n"
        if self.servers is None:
            kubeconfig = placeholder(_context(self.root))
            (self.folder / "kubeconfig").write_text(kubeconfig, encoding="utf-8")
        copy.write_text(settings + (f"{salt[0]}\n" if salt else ""), encoding="utf-8")

    def _keep_no_logs(self) -> None:
        """The CLI logs all it does, at a third of its time, unless `logs` is no folder."""
        logs = self.folder / "home" / "logs"
        if logs.is_dir():
            shutil.rmtree(logs)
        logs.touch()

    def _share_plugins(self) -> None:
        """Plugins take hundreds of MB: share the user's own Pulumi's, and put new ones there."""
        link = self.folder / "home" / "plugins"
        own = user_home() / "plugins"
        own.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # what the engine put there stays
            link.rmdir()
        if not link.exists():
            link.unlink(missing_ok=True)  # a link to a folder that is gone
            link.symlink_to(own)

    @contextmanager
    def environment(self) -> Generator[None]:
        """While it is active, the process has only the sandbox's servers and Pulumi settings."""
        before = dict(os.environ)
        direct = before.get("no_proxy") or before.get("NO_PROXY") or ""
        for name in before:
            if name.startswith(FOREIGN_PREFIXES):
                del os.environ[name]
        os.environ.update(
            PULUMI_HOME=str(self.folder / "home"),
            # Without a second file beside the state, which a kill can leave half-written.
            PULUMI_BACKEND_URL=f"{self.state.as_uri()}?metadata=skip",
            PULUMI_CONFIG_PASSPHRASE_FILE=str(self.folder / "passphrase"),
            PULUMI_SKIP_UPDATE_CHECK="true",
            PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS="true",
            PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION="true",
            GOGC="400",  # the engine lives for seconds: it takes a sixth less with less collection
            HARBOR_URL="https://harbor.sandbox.invalid",
            HARBOR_USERNAME="sandbox",
            HARBOR_PASSWORD="sandbox",
            # The engine is on this machine, and so are the servers, regardless of http_proxy.
            no_grpc_proxy="127.0.0.1",
            no_proxy=f"{direct},127.0.0.1",
        )
        os.environ.update(self.servers.environment if self.servers else self._stand_in())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def _stand_in(self) -> dict[str, str]:
        return {
            # Write the state once, at the end: what a killed run did is lost both in the state and
            # in the stand-in. Writing at each step takes three times as long for 100 objects.
            "PULUMI_SKIP_CHECKPOINTS": "true",
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "VAULT_ADDR": "https://openbao.sandbox.invalid",
            "VAULT_TOKEN": "sandbox",
        }


def user_home() -> Path:
    """The folder of the user's own Pulumi."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


def _context(root: Path) -> str | None:
    """The context that the stack's settings name; the program reports an invalid file."""
    try:
        context = stack_config(root, STACK)[f"{PREFIX}kubernetes"]["context"]
    except (KeyError, TypeError):
        return None
    return context if isinstance(context, str) else None


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
