"""Where the CPU time of a preview goes: `python -m bench.shares FOLDER` samples the program."""

import json
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

from bench.measure import PYTHON, ROOT, run
from bench.measured_row import seconds
from bench.previews import Preview
from plain.table import markdown

_EVERY = 0.002  # seconds

_MODELS = "reading and checking team files: specs/, pydantic, PyYAML"
_COMPONENTS = "creating components and arguments: components/, __main__.py"
_SDK = "Pulumi's SDK: registering, serializing, its event loop"

# The owner of a piece of code, by parts of its path.
_OWNERS = (
    (f"{ROOT}/specs/", _MODELS),
    ("/site-packages/pydantic", _MODELS),
    ("/site-packages/yaml/", _MODELS),
    (f"{ROOT}/components/", _COMPONENTS),
    ("/__main__.py", _COMPONENTS),
    ("/site-packages/pulumi", _SDK),
    ("/site-packages/google/", _SDK),
    ("/asyncio/", _SDK),
)


def table_of(folder: Path, ours: Preview) -> str:
    """The shares in a preview of a checkout: the program's by samples, and the engine's."""
    _, printed = run(PYTHON, "-m", "bench.shares", folder)
    looks = json.loads(printed)
    found = {part: ours.program_cpu * count / sum(looks.values()) for part, count in looks.items()}
    found["Pulumi's engine"] = ours.engine_cpu
    rows = [(part, seconds(cpu), f"{100 * cpu / ours.cpu:.0f} %") for part, cpu in found.items()]
    return "\n".join(markdown([("Part", "CPU", "Share"), *rows], aligned=True))


def _looks(folder: Path) -> Counter[str]:
    """How often each owner's code was running, while the program ran without an engine."""
    import components  # noqa: F401 (loading it is no part of a run)
    from dryrun.recording import record_stack
    from sandbox.checkout import STACK

    seen: Counter[str] = Counter()
    ended, program = threading.Event(), threading.get_ident()

    def look() -> None:
        while not ended.wait(_EVERY):
            frame = sys._current_frames()[program]
            if not frame.f_code.co_filename.endswith("/selectors.py"):  # it is waiting
                seen[_owner(frame)] += 1

    looking = threading.Thread(target=look)
    looking.start()
    try:
        record_stack(folder, STACK, folder / "tenants")
    finally:
        ended.set()
        looking.join()
    return seen


def _owner(frame: FrameType | None) -> str:
    """The owner of the running code: that of the innermost known frame."""
    while frame is not None:
        for part, owner in _OWNERS:
            if part in frame.f_code.co_filename:
                return owner
        frame = frame.f_back
    return _SDK


if __name__ == "__main__":
    print(json.dumps(_looks(Path(sys.argv[1]))))
