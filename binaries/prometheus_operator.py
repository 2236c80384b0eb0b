"""The Prometheus Operator, which its project publishes as an image only, so it is built."""

from pathlib import Path

from semver import VersionInfo

from binaries import operators, pinned
from binaries.operators import Operator
from binaries.pinned import Release

MODULE = "github.com/prometheus-operator/prometheus-operator"
RELEASE = Release(
    folder="prometheus-operator",
    title="the Prometheus Operator",
    version=VersionInfo(0, 85, 0),
    packages={"prometheus-operator": f"{MODULE}/cmd/operator"},
    building_takes="3 to 10 minutes",
    install_page="https://go.dev/dl/",
)
DEFINITIONS = Path("example", "prometheus-operator-crd")
# The kinds that its controller of Prometheus needs; it starts no controllers for missing kinds.
SERVED = ("prometheuses", "prometheusrules", "servicemonitors", "podmonitors", "probes")


def operator() -> Operator:
    """Return the operator: cached, or new. Raises UserError if it cannot be built."""
    return Operator.kept_in(pinned.cached(RELEASE, _make), RELEASE)


def _make(root: Path) -> None:
    definitions = operators.sources(RELEASE, MODULE) / DEFINITIONS
    pinned.build(RELEASE, root / "bin", RELEASE.sources)
    files = (definitions / f"monitoring.coreos.com_{plural}.yaml" for plural in SERVED)
    operators.keep_definitions(files, root)
