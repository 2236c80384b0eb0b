"""A Python that has the SDKs loaded, for tests that start commands: loading takes a second each.

`warm_python` is a program like Python's. With `-m` it runs the module in a child of a process that
has all packages loaded but those of a checkout: exit code, output, working directory, environment
and import path are as in a process of its own. Other options start Python itself.
"""

import _imp
import gc
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
# What commands import at some time, without the clients of servers: a test may look for those.
LOADED = ("cli.__main__", "components", "dryrun.recording", "tools.review.review")

_PROGRAM = """\
#!{python} -IS
import json, os, socket, sys

arguments = sys.argv[1:]
if [each for each in arguments if each != "-P"][:1] != ["-m"]:
    os.execv("{python}", ["{python}", *arguments])
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect("{address}")
    request = json.dumps([__file__, arguments, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(connection, [b" "], [0, 1, 2])
    connection.sendall(request)
    connection.shutdown(socket.SHUT_WR)
    answer = connection.recv(1)
sys.exit(answer[0] if answer else "warm Python: the command ended by a signal")
"""


@contextmanager
def warm_python(*loaded: str) -> Iterator[Path]:
    """The program; the process that it asks ends with the block.

    `loaded` are modules of the checkout: the packages that they import are loaded.
    """
    with TemporaryDirectory(prefix="warm-") as folder:
        address = f"{folder}/socket"
        program = Path(folder) / "python"
        program.write_text(_PROGRAM.format(python=sys.executable, address=address))
        program.chmod(0o755)
        command = [sys.executable, "-P", str(Path(__file__)), address, *loaded]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            assert server.stdout.read(1), "it does not start"
            yield program
        finally:
            server.terminate()
            server.communicate()


def _serve(address: str, *loaded: str) -> NoReturn:
    own = list(sys.path)
    sys.path.insert(0, str(ROOT))
    for name in loaded:
        __import__(name)
    sys.path[:] = own
    _forget_the_checkout()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        os.write(1, b"+")
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(connection)
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _forget_the_checkout() -> None:
    """A command imports its own checkout's modules; what they were compiled to is used for it.

    A copy, or the base of a review, has most files as they are here, and nothing compiled.
    """
    compiled: dict[bytes, CodeType] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or not file or ".venv" in Path(file).parts:
            continue
        if Path(file).is_relative_to(ROOT):
            loader = getattr(module.__spec__, "loader", None)
            if isinstance(loader, SourceFileLoader) and (code := loader.get_code(name)):
                compiled[Path(file).read_bytes()] = code
            del sys.modules[name]
    compile_anew = SourceFileLoader.source_to_code

    def source_to_code(loader: Any, data: Any, path: Any, **options: Any) -> Any:
        if code := compiled.get(bytes(data)):
            _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
            return code
        return compile_anew(loader, data, path, **options)

    SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign]


def _answer(connection: socket.socket) -> NoReturn:
    import json

    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as request:
        program, arguments, folder, environment = json.loads(request.read())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_end_with, args=[connection], daemon=True).start()
    code = _run(program, arguments)
    with suppress(BrokenPipeError):
        connection.send(bytes([code & 255]))
    os._exit(code)


def _end_with(connection: socket.socket) -> None:
    """End once the program that asked is gone: whoever kills that one means this process."""
    poll = select.poll()
    poll.register(connection, 0)  # only its end
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)


def _run(program: str, arguments: list[str]) -> int:
    """The exit code of `python [-P] -m MODULE ...`."""
    import atexit

    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    here = [] if arguments[0] == "-P" else [str(Path.cwd())]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = here + paths
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.executable = program
    module, *sys.argv[1:] = arguments[arguments.index("-m") + 1 :]
    code: Any = 0
    try:
        sys.modules.pop("sitecustomize", None)
        with suppress(ModuleNotFoundError):
            __import__("sitecustomize")
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    return code or 0


if __name__ == "__main__":
    _serve(*sys.argv[1:])
