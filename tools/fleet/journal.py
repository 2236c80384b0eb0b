"""What a run of updates has done, on disk: an interrupted run goes on from there."""

import os
from pathlib import Path

from pydantic import ValidationError

from binaries.console import UserError
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
        """Replace the file in one step: whoever is killed leaves the old one or the new one."""
        new = file.with_name(f"{file.name}.new")
        with new.open("w", encoding="utf-8") as stream:
            stream.write(self.model_dump_json())
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)


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
