"""Kyverno's admission controller, which its project publishes as an image only, so it is built.

It belongs to the same Go module as the command line in `binaries/pinned.py`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from binaries import operators, pinned
from binaries.operators import Operator
from binaries.pinned import KYVERNO

MODULE = "github.com/kyverno/kyverno"
RELEASE = replace(
    KYVERNO,
    folder="kyverno-admission",
    title="Kyverno's admission controller",
    packages={"kyverno": f"{MODULE}/cmd/kyverno"},
    install_page="https://go.dev/dl/",
    module=KYVERNO.folder,
)
DEFINITIONS = Path("config", "crds")
# What its chart installs with the default values: definitions, and everything else.
INSTALLATION = Path("config", "install-latest-testing.yaml")
# The kinds of other controllers of Kyverno, which clean up and report.
_OF_OTHERS = ("cleanup", "deleting", "report")


def operator() -> Operator:
    """Return the controller: cached, or new. Raises UserError if it cannot be built."""
    return Operator.kept_in(pinned.cached(RELEASE, _make), RELEASE)


def _make(root: Path) -> None:
    published = operators.sources(RELEASE, MODULE)
    pinned.build(RELEASE, root / "bin", RELEASE.sources)
    operators.keep_definitions(_definitions(published / DEFINITIONS), root)
    documents = (published / INSTALLATION).read_text(encoding="utf-8").split("\n---\n")
    kept = (each for each in documents if "\nkind: CustomResourceDefinition\n" not in each)
    operators.keep_objects("\n---\n".join(kept), root)


def _definitions(folder: Path) -> Iterator[Path]:
    for file in folder.glob("*/*.yaml"):
        if not any(word in file.name for word in _OF_OTHERS):
            yield file
