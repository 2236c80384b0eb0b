"""What a run that is cut short leaves behind, and how the next one goes on."""

import os
import signal
import subprocess

import pytest

from tests.checkouts import Checkout

pytestmark = pytest.mark.engine


def until_something_is_created(process: subprocess.Popen[str]) -> str:
    """What the run printed up to its first created object."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if " created (" in line:
            return seen
    pytest.fail(f"the run ended before it created anything:\n{seen}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_next_up_finishes_what_a_signal_cut_short(
    fresh: Checkout, number: signal.Signals
) -> None:
    process = fresh.start("up")
    until_something_is_created(process)
    os.killpg(process.pid, number)
    rest, _ = process.communicate(timeout=120)
    assert "Traceback" not in rest
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert "the next `make up` carries on" in rest

    again = fresh.up()
    assert again.count("created") + again.count("unchanged") > 80
    assert fresh.run("preview").count("unchanged") == len(fresh.resources())


def test_a_second_run_in_the_same_checkout_names_the_running_one(fresh: Checkout) -> None:
    first = fresh.start("up")
    until_something_is_created(first)
    os.killpg(first.pid, signal.SIGSTOP)  # or it might end before the second begins
    try:
        second = fresh.run("preview")
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    assert second.code == 1
    assert f"process {first.pid}" in second.output
    first.communicate(timeout=120)
    assert first.returncode == 0
