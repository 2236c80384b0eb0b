"""Pulumi's language host, which runs the program for `pulumi up` and `pulumi preview`."""

import os
import signal
import sys

import pulumi

# If set, the program's messages of level debug reach the engine.
DEBUG = "SRE_PLATFORM_DEBUG"

_NAME = "pulumi-language-python-exec"


def end_without_traceback() -> None:
    """Let the host end the program without output.

    It interrupts the program when a resource fails. Python would print two tracebacks, which appear
    as errors of the stack beside the real one.
    """
    if any(argument.endswith(_NAME) for argument in sys.orig_argv):
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def send_no_debug_messages() -> None:
    """Save the engine four messages for each resource, which it drops unless run with `--debug`.

    The SDK waits for the answer to each, which takes a fifth of a preview's time.
    """
    if not os.environ.get(DEBUG):
        pulumi.log.debug = _nothing


def _nothing(*_: object, **__: object) -> None:
    pass
