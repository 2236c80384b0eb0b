"""scripts/setup: what is in .venv afterwards, who put it there, and what a failure leaves."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.written import ROOT

pytestmark = pytest.mark.engine  # takes seconds, and packages from PyPI

PACKAGES = ("pip", "six", "uv")


class Checkout:
    """A folder with the script and a lock of few packages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = root / "requirements.lock"
        (root / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/setup", root / "scripts/setup")
        locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        entries = re.findall(r"^\S+==(?:.+\n)(?: .*\n)*", locked, re.MULTILINE)
        self.lock.write_text(
            "".join(entry for entry in entries if entry.partition("==")[0] in PACKAGES)
        )

    def start(self, **environment: str) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_INDEX"))}
        return subprocess.Popen(
            [str(self.root / "scripts/setup")],
            env={**inherited, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def set_up(self, **environment: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        process = self.start(**environment)
        output, errors = process.communicate()
        return process.returncode, output, errors

    def installed(self) -> Mapping[str, str]:
        """Who installed each package."""
        found = self.root.glob(".venv/lib/python*/site-packages/*.dist-info/INSTALLER")
        return {file.parent.name.partition("-")[0]: file.read_text().strip() for file in found}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_set_up_has_what_the_lock_has_and_runs_once(checkout: Checkout) -> None:
    code, output, errors = checkout.set_up()
    assert (code, output) == (0, ""), errors
    assert checkout.installed() == {"pip": "uv", "six": "uv", "uv": "pip"}
    (checkout.root / ".venv/kept").touch()
    assert checkout.set_up() == (0, "", "")
    assert (checkout.root / ".venv/kept").exists()


def test_an_interrupted_set_up_says_so_and_the_next_starts_over(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(120)
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        process = checkout.start(UV_DEFAULT_INDEX=index, UV_NO_CACHE="1")
        connection, _ = silent.accept()
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate()
        connection.close()
    assert process.returncode == 1
    assert errors.endswith("Interrupted; the next run sets up .venv from the start.\n")
    (checkout.root / ".venv/left").touch()
    assert checkout.set_up()[0] == 0
    assert checkout.installed().keys() == {*PACKAGES}
    assert not (checkout.root / ".venv/left").exists()


def test_pip_installs_where_uv_cannot(checkout: Checkout) -> None:
    code, _, errors = checkout.set_up(UV_OFFLINE="1", UV_NO_CACHE="1")
    assert code == 0, errors
    assert checkout.installed()["six"] == "pip"


def test_where_pip_has_its_own_index_nothing_comes_from_elsewhere(checkout: Checkout) -> None:
    index = "https://user:pa55@index.invalid/simple"
    code, _, errors = checkout.set_up(PIP_INDEX_URL=index, PIP_RETRIES="0")
    assert code == 1
    assert checkout.installed().keys() <= {"pip", "setuptools"}, "which came with Python"
    assert "pa55" not in errors


def test_a_package_that_is_not_the_locked_one_is_refused(checkout: Checkout) -> None:
    text = checkout.lock.read_text()
    entry = re.search(r"^six==.*\n(?: .*\n)*", text, re.MULTILINE)
    assert entry
    other = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, entry[0])
    checkout.lock.write_text(text.replace(entry[0], other))
    code, _, errors = checkout.set_up()
    assert code == 1
    assert "six" not in checkout.installed()
    assert errors.splitlines()[-1] == (
        "Setting up .venv failed with the error above; fix it and run the same command again."
    )
    assert not (checkout.root / ".venv/requirements.lock").exists()
