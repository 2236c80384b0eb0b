"""A Git repository of a few files, for tests of what a change means."""

import os
import subprocess
from pathlib import Path

_SOMEONE = {
    f"GIT_{who}_{what}": said
    for who in ("AUTHOR", "COMMITTER")
    for what, said in (("NAME", "Someone"), ("EMAIL", "someone@example.com"))
}


class Repository:
    """A checkout of branch `main`, independent of the machine's Git settings."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        environment = {**os.environ, **_SOMEONE, "GIT_CONFIG_GLOBAL": os.devnull}
        environment["GIT_CONFIG_NOSYSTEM"] = "1"
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, file: str, text: str = "") -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self) -> str:
        """Commits all there is; the new commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A change")
        return self.git("rev-parse", "HEAD")
