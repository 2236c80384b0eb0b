"""Pulumi's language host, which runs the program for `pulumi up` and `pulumi preview`."""

import signal
import sys

_NAME = "pulumi-language-python-exec"


def end_without_traceback() -> None:
    """Let the host end the program without output.

    It interrupts the program when a resource fails. Python would print two tracebacks, which appear
    as errors of the stack beside the real one.
    """
    if any(argument.endswith(_NAME) for argument in sys.orig_argv):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
