"""The platform's version, which pyproject.toml states."""

import tomllib
from pathlib import Path

_FILE = Path(__file__).parent.parent / "pyproject.toml"


def version() -> str:
    """`[project] version`, such as "1.0.0"; CHANGELOG.md says what each version changes."""
    with _FILE.open("rb") as file:
        return tomllib.load(file)["project"]["version"]
