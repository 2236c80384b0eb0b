"""Pulumi's language host, which runs the program for `pulumi up` and `pulumi preview`."""

import signal
import sys

_NAME = "pulumi-language-python-exec"


def end_without_traceback() -> None:
    """Let the host end the program without a word.

    It interrupts the program when a resource fails. Python would answer with two tracebacks, which
    are shown as errors of the stack beside the one that counts.
    """
    if any(argument.endswith(_NAME) for argument in sys.orig_argv):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
