"""The image of sidecars and gateways: as Istio's own, but with the Envoy project's Envoy."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from binaries import istio
from sandbox.servers.images import Image
from sandbox.servers.parts import PATH

AGENT, ENVOY = "/usr/local/bin/pilot-agent", "/usr/local/bin/envoy"
BOOTSTRAP = "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
VERSION = f"{istio.VERSION}-{istio.ENVOY.version}"
_USER = "1337:1337"


def proxy() -> Image:
    """Raises UserError if its programs are not available."""
    programs, envoy = istio.programs(), istio.envoy()
    libraries = {str(path): path for path in _libraries(envoy)}
    return Image.make(
        {BOOTSTRAP: programs.bootstrap.read_text(encoding="utf-8")},
        [AGENT],
        {"PATH": PATH},
        _USER,
        busybox=False,
        programs={AGENT: programs.agent, ENVOY: envoy, **libraries},
    )


def _libraries(program: Path) -> Iterator[Path]:
    """This machine's libraries that a program is linked to, and what loads them."""
    listed = subprocess.check_output(["ldd", program], text=True, env={"PATH": PATH})
    for line in listed.splitlines():
        for word in line.split():
            if word.startswith("/"):
                yield Path(word)
