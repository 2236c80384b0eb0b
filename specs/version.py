"""The platform's version, which pyproject.toml defines."""

import tomllib
from pathlib import Path

_FILE = Path(__file__).parent.parent / "pyproject.toml"


def version() -> str:
    """`[project] version`, such as "1.0.0"; CHANGELOG.md lists the changes of each version."""
    with _FILE.open("rb") as file:
        return tomllib.load(file)["project"]["version"]
