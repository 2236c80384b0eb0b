"""What a pull request runs works where no client of a server can be loaded, in its children too."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.flux_tree import GUIDE
from tests.repository import Repository
from tests.written import ROOT

pytestmark = pytest.mark.commands

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".sandbox", "__pycache__", ".*_cache", "tests", "docs"
)

# Python runs it before anything else, wherever the checkout is on its path.
_NO_CLIENTS = """\
import sys


class NoClients:
    def find_spec(self, name, path=None, target=None):
        own = {"clients.harbor", "clients.http", "clients.kubernetes", "clients.openbao"}
        if name in own or name.partition(".")[0] in {"kubernetes", "requests", "urllib3"}:
            raise ImportError(f"{name} must not be loaded here")


sys.meta_path.insert(0, NoClients())
for name in sys.modules:  # a warm Python has loaded some
    NoClients().find_spec(name)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose working tree differs from its branch `base` by a tag."""
    made = Repository(tmp_path_factory.mktemp("repository") / "checkout")
    shutil.copytree(ROOT, made.root, ignore=_LEFT_OUT, dirs_exist_ok=True)
    made.write(".gitignore", "__pycache__/\n")
    made.write("sitecustomize.py", _NO_CLIENTS)
    made.commit()
    made.git("branch", "base")
    file = made.root / "tenants" / "team-alpha.yaml"
    made.write(
        "tenants/team-alpha.yaml", file.read_text(encoding="utf-8").replace("v2.1.0", "v9.0.0")
    )
    (made.root / "imported").mkdir()
    return made.root


def run(python: Path, checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-P", "-m", "cli", *command],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["validate"], 0),
        (["render", "--out", "rendered"], 0),
        (["diff", "--base", "base"], 2),
        (["affected", "--base", "base"], 0),
        (["schema", "--check"], 0),
        (["capacity"], 0),
        (["page", "--out", "site"], 0),
        (["new", "team", "team-new"], 0),
        (["set-image", "team-alpha", "my-api", "v9.0.1"], 0),
        (["import", str(GUIDE), "--tenants", "imported"], 0),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_of_a_pull_request_loads_no_client(
    warm: Path, checkout: Path, command: list[str], code: int
) -> None:
    done = run(warm, checkout, *command)
    assert (done.returncode, "must not be loaded" in done.stderr) == (code, False), done.stderr


@pytest.mark.parametrize("command", ["doctor", "isolation"])
def test_a_command_that_asks_servers_does(warm: Path, checkout: Path, command: str) -> None:
    assert "must not be loaded here" in run(warm, checkout, command).stderr
