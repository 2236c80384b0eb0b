"""What a run of updates has done, on disk: an interrupted run goes on from there."""

from pathlib import Path

from pydantic import ValidationError

from binaries.console import UserError
from plain.whole_files import replace
from specs.base import Spec


class Journal(Spec):
    """`inputs` is the digest of the files that the run began with; `updated` has ended."""

    inputs: str
    stacks: tuple[str, ...]
    updated: tuple[str, ...] = ()

    def with_updated(self, stack: str) -> "Journal":
        """The same after another stack's update."""
        return self.model_copy(update={"updated": (*self.updated, stack)})

    def write(self, file: Path) -> None:
        """Write it whole: whoever is killed leaves the old one or the new one."""
        replace(file, self.model_dump_json())


def read(file: Path) -> Journal:
    """The journal of an interrupted run. Raises UserError."""
    try:
        return Journal.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise UserError("there is no run to resume; leave out --resume") from None
    except ValidationError:
        raise UserError(
            f"{file} is not a journal of this version; remove it and leave out --resume"
        ) from None
