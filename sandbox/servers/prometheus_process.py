"""The process behind the platform's Prometheus, in place of the pods that its operator asks for.

`python -m sandbox.servers.prometheus_process FILE` does the work of the kubelet and the config
reloader in such a pod: it gives Prometheus what the operator writes to Secrets and ConfigMaps, and
has it reload that after a change. It ends with Prometheus.
"""

import gzip
import json
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from clients.http import RefusedError, UnreachableError
from clients.kubernetes import Cluster, Object

NAMESPACE, NAME = "monitoring", "platform"  # of the object of kind Prometheus
LOOKS_EVERY = 0.5  # seconds
# The pod's environment variables that the config reloader substitutes in the configuration.
_ENVIRONMENT = {"POD_NAME": f"prometheus-{NAME}-0", "SHARD": "0"}
_MOUNTED = "/etc/prometheus/"

# Of what the operator has written: names and resourceVersions.
Versions = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class PrometheusSettings:
    """What the process reads from its file.

    `kubeconfig` is for what a kubelet reads, `account` for what Prometheus itself reads. `pods` is
    the address of the proxy to the pods' network, which the machine cannot reach directly.
    """

    program: str
    kubeconfig: str
    account: str
    listens: str
    pods: str
    folder: str

    def write(self, file: Path) -> None:
        """For `read`."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "PrometheusSettings":
        """What `write` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))


def run(settings: PrometheusSettings) -> int:
    """Run Prometheus until it ends, as it does on SIGTERM; return its exit code."""
    pod = _Pod(settings)
    while not pod.refresh():
        time.sleep(LOOKS_EVERY)
    with subprocess.Popen(pod.command()) as prometheus:
        # Python would drop an exception, if it came while an object is finalised.
        signal.signal(signal.SIGTERM, lambda *_: prometheus.terminate())
        try:
            while prometheus.poll() is None:
                time.sleep(LOOKS_EVERY)
                if pod.refresh():
                    prometheus.send_signal(signal.SIGHUP)
        finally:
            prometheus.terminate()
    return prometheus.returncode


class _Pod:
    """The files of the pod, in a folder."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._settings = settings
        self._folder = Path(settings.folder)
        self._cluster = Cluster(kubeconfig=Path(settings.kubeconfig), retries=0)
        self._has: Versions = frozenset()

    def refresh(self) -> bool:
        """Write what the operator has written, and return whether it is new or changed."""
        try:
            secret = self._cluster.get("v1", "Secret", NAMESPACE, f"prometheus-{NAME}")
            rules = list(self._rules())
        except (RefusedError, UnreachableError):  # the server is restarting
            return False
        if secret is None:
            return False
        has = frozenset(_version(each) for each in (secret, *rules))
        if has == self._has:
            return False
        for each in rules:
            self._write_rules(each)
        text = gzip.decompress(b64decode(secret["data"]["prometheus.yaml.gz"])).decode()
        self._configuration.write_text(self._in_this_place(text), encoding="utf-8")
        self._has = has
        return True

    def command(self) -> list[str]:
        return [
            self._settings.program,
            f"--config.file={self._configuration}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._settings.listens}",
        ]

    @property
    def _configuration(self) -> Path:
        return self._folder / "prometheus.yaml"

    def _rules(self) -> Iterator[Object]:
        for each in self._cluster.list("v1", "ConfigMap", NAMESPACE):
            if each["metadata"].get("labels", {}).get("prometheus-name") == NAME:
                yield each

    def _write_rules(self, config_map: Object) -> None:
        folder = self._folder / "rules" / config_map["metadata"]["name"]
        folder.mkdir(parents=True, exist_ok=True)
        files = config_map.get("data") or {}
        for old in folder.iterdir():
            if old.name not in files:
                old.unlink()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    def _in_this_place(self, text: str) -> str:
        """The configuration with this machine's paths, and with access to the cluster and pods."""
        text = text.replace(_MOUNTED, f"{self._folder}/")
        for name, value in _ENVIRONMENT.items():
            text = text.replace(f"$({name})", value)
        configuration: Any = yaml.safe_load(text)
        for job in configuration.get("scrape_configs") or ():
            job["proxy_url"] = self._settings.pods
            for discovery in job["kubernetes_sd_configs"]:
                discovery["kubeconfig_file"] = self._settings.account
        return yaml.safe_dump(configuration, sort_keys=False)


def _version(object: Object) -> tuple[str, str]:
    metadata = object["metadata"]
    return metadata["name"], metadata["resourceVersion"]


if __name__ == "__main__":
    sys.exit(run(PrometheusSettings.read(Path(sys.argv[1]))))
