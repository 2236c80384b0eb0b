"""Images that stand in for teams' apps: they answer probes and scrapes, and nothing else.

They speak no gRPC.
"""

import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from sandbox.servers.images import Image
from specs.app import BaseApp, CronJob
from specs.container import Container
from specs.fleet import TeamsFolder
from specs.image import Image as AppImage
from specs.load import load_team
from specs.process import InitStep
from specs.stack_file import read_stack

PROGRAM = "/bin/app"
PORTS = "STAND_IN_PORTS"
UNUSED = 8080  # for a worker without metrics, because without a port it would end
APP = """\
#!/bin/sh
# Stands in for an app: serves files on its ports, or ends at once if it has none.
echo "started with: $*"
@STEPS@
[ -n "$STAND_IN_PORTS" ] || exit 0
trap 'exit 0' TERM
for port in $STAND_IN_PORTS; do httpd -f -p "$port" -h /www & done
wait
"""
# Debian's busybox has none. Only `pgrep -f PATTERN`, with a pattern that does not match itself.
PGREP = """\
#!/bin/sh
for process in /proc/[0-9]*; do
  tr '\\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q -- "$2" && exit 0
done
exit 1
"""


def stand_in(
    ports: Iterable[int],
    paths: Iterable[str],
    program: str = PROGRAM,
    steps: Collection[Sequence[str]] = (),
) -> Image:
    """An app that answers GET for the paths on its ports; without any, it ends with success.

    So it does if it is run by the words of one of the steps.
    """
    lines = (shlex.quote(" ".join([PurePath(step[0]).name, *step[1:]])) for step in steps)
    ends = "".join(f'[ "${{0##*/}} $*" = {line} ] && exit\n' for line in lines)
    script = APP.replace("@STEPS@\n", ends)
    programs = {PROGRAM, program, *(step[0] for step in steps)}
    files = {str(PurePath("/bin") / each): script for each in sorted(programs)}
    files["/bin/pgrep"] = PGREP
    files |= {f"/www{path}": "ok\n" for path in sorted(paths)}
    listed = " ".join(map(str, sorted({*ports})))
    return Image.make(files, [program], {PORTS: listed} if listed else None)


def of_stack(root: Path, stack: str = "dev") -> Iterator[tuple[str, str, Image]]:
    """Repository, tag and image for each app of the stack's teams, as far as they can be read."""
    settings, _ = read_stack(root, stack)
    if settings is None:
        return
    for file in TeamsFolder(root / settings.tenants, settings.tenants).files():
        team = load_team(file, file.name, settings).team
        yield from of_apps(team.deployed if team else ())


def of_apps(apps: Iterable[BaseApp]) -> Iterator[tuple[str, str, Image]]:
    """Repository, tag and image for each app, and for each step before it with its own image."""
    for app in apps:
        yield *_place(app.app.image), _of_app(app)
        for step in app.app.init:
            if step.image:
                yield *_place(step.image), stand_in((), (), _program(step))


def _place(image: AppImage) -> tuple[str, str]:
    return image.repository.partition("/")[2], image.tag


def _program(process: Container | InitStep) -> str:
    return process.command[0] if process.command else PROGRAM


def _of_app(app: BaseApp) -> Image:
    program = _program(app.app)
    steps = [[*(step.command or [program]), *step.args] for step in app.app.init if not step.image]
    if isinstance(app, CronJob):
        return stand_in((), (), program, steps)
    ports, paths = {*app.ports.values()}, {app.service_monitor.path}
    for probe in app.probes.values():
        ports |= {check.port for check in (probe, probe.tcp) if check and check.port}
        paths |= {probe.path} if probe.path else set()
    return stand_in(ports or {UNUSED}, paths, program, steps)


def pause() -> Image:
    """The image that keeps a pod's namespaces."""
    return Image.make({}, ["/bin/sleep", "infinity"])
