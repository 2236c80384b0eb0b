"""Files of a tree, each read once."""

from pathlib import Path

from specs.source import Source
from tools.migration.documents import documents
from tools.migration.import_findings import Findings


class Files:
    """Problems with a file are among the findings once something in it is to be imported."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._read: dict[Path, tuple[list[Source], Findings]] = {}
        self._used: set[Path] = set()

    def read(self, file: Path, shown: str) -> list[Source]:
        """The file's documents."""
        file = file.resolve()
        if file not in self._read:
            found = Findings()
            self._read[file] = documents(file, shown, found), found
        return self._read[file][0]

    def use(self, file: Path, shown: str) -> list[Source]:
        """The file's documents, of which objects are to be imported."""
        sources = self.read(file, shown)
        if file.resolve() not in self._used:
            self._used.add(file.resolve())
            self._findings.lost += self._read[file.resolve()][1].lost
        return sources
