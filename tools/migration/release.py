"""A HelmRelease as an app: its archetype and its values, merged as Flux and Helm merge them."""

from collections.abc import Iterator

from specs.problem import Finding, Loc
from tools.migration.app_draft import AppDraft
from tools.migration.chart_availability import respell_availability
from tools.migration.chart_ingress import respell_ingress
from tools.migration.chart_init import respell_init
from tools.migration.chart_mounts import respell_mounts
from tools.migration.chart_ports import respell_ports
from tools.migration.chart_probes import respell_probes
from tools.migration.chart_process import respell_process
from tools.migration.chart_secrets import respell_secrets
from tools.migration.chart_volumes import respell_volumes
from tools.migration.charts import ARCHETYPES, Charts
from tools.migration.config_maps import VALUES_KEY, ConfigMaps
from tools.migration.documents import Manifest
from tools.migration.import_findings import ACCEPT, Findings
from tools.migration.layers import check_beside, read_layers
from tools.migration.live import live_names
from tools.migration.tightened import hardened
from tools.migration.value import Value, merged

GROUP = "helm.toolkit.fluxcd.io"

# Flux's own keys: when, how often and by whom a release is applied, and the charts' sources.
_FLUX = {
    "chart", "chartRef", "interval", "timeout", "maxHistory", "dependsOn", "serviceAccountName",
    "storageNamespace", "persistentClient", "driftDetection", "install", "upgrade", "test",
    "rollback", "uninstall",
}  # fmt: skip
_FLUX_CHART = {
    "chart", "version", "sourceRef", "interval", "reconcileStrategy", "verify",
    "ignoreMissingValuesFiles",
}  # fmt: skip
_HERE = {"values", "valuesFrom", "targetNamespace", "releaseName", "suspend", "kubeConfig"}

_UNSAID = "changes what runs, but a team's file cannot express it; write its result into the values"

FLUX_NAMESPACE = "flux-system"


def is_release(manifest: Manifest) -> bool:
    """Whether it is a HelmRelease."""
    return manifest.group == GROUP and manifest.kind == "HelmRelease"


def team_of(release: Manifest, namespace: str | None) -> str | None:
    """The team that the app belongs to: a release in Flux's own namespace names its target."""
    target = release.get("spec", "targetNamespace")
    at_home = namespace in (None, FLUX_NAMESPACE)
    return target if at_home and isinstance(target, str) else namespace


def read_release(
    release: Manifest,
    namespace: str | None,
    team: str,
    maps: ConfigMaps,
    charts: Charts,
    f: Findings,
) -> AppDraft | None:
    """The app; None if the release is of another chart."""
    chart = charts.of(release)
    archetype = ARCHETYPES.get(chart.name or "")
    f.lost += (release.problem(at, message, at_key=True) for at, message in _unsaid(release))
    if elsewhere := list(_elsewhere(release)):
        f.lost += (release.problem(at, message, at_key=True) for at, message in elsewhere)
        return None
    if archetype is None:
        known = ", ".join(ARCHETYPES)
        message = chart.unknown or (
            f"is not one of the charts {known}; keep the release with Flux, or create it by other "
            "means"
        )
        f.lost.append(release.problem(chart.loc, message))
        return None
    layers = read_layers(release, namespace, maps, f)
    if not layers:
        message = "has only values that the lost ones may change; give it `values`"
        f.lost.append(release.problem(("spec",), message))
        return None
    values = layers[0]
    for layer in layers[1:]:
        values = merged(values, layer)
    if beside := maps.values_beside(release):
        del maps.loose[beside.file.resolve()]
        check_beside(beside, values, f)
    entry = Value(values.source, values.loc, dict(values.data))
    respell_ingress(entry)
    respell_ports(entry)
    respell_availability(entry)
    respell_probes(entry)
    whole = next((layer for layer in reversed(layers) if layer.plain == values.plain), None)
    app = AppDraft(release, entry, layers, whole)
    app.leave_out_nulls()
    app.leave_out_substituted(f)
    entry.data = {"archetype": release.value(chart.loc, archetype), **entry.data}
    app.notes += hardened(values)
    respell_process(entry)
    app.notes += respell_init(entry)
    app.notes += respell_volumes(entry)
    respell_secrets(entry)
    respell_mounts(entry, namespace, maps)
    app.notes += live_names(release, team, archetype, entry)
    return app


def _elsewhere(release: Manifest) -> Iterator[Finding]:
    """Why its objects are not in the team's namespace here: it is not the team's app."""
    target, home = release.get("spec", "targetNamespace"), release.get("metadata", "namespace")
    if target and home and target != home and home != FLUX_NAMESPACE:
        yield (
            ("spec", "targetNamespace"),
            f"is not the team's namespace; its objects are in '{target}': import it from there",
        )
    if release.get("spec", "kubeConfig"):
        message = "targets another cluster; import it with that cluster's stack"
        yield ("spec", "kubeConfig"), message


def _unsaid(release: Manifest) -> Iterator[Finding]:
    """Settings that change what runs, and that a team's file cannot express."""
    spec = release.mapping("spec")
    for key in spec:
        if key not in _FLUX | _HERE:
            yield ("spec", key), _UNSAID
    if spec.get("suspend"):
        yield (
            ("spec", "suspend"),
            ("Flux does not apply it; check what runs, then accept that (--partial)"),
        )
    for key in release.mapping("spec", "chart", "spec"):
        loc: Loc = ("spec", "chart", "spec", key)
        if key in ("valuesFiles", "valuesFile"):
            if release.get(*map(str, loc)) not in (VALUES_KEY, (VALUES_KEY,)):
                yield loc, "uses other values files of the chart; write them into the values"
        elif key not in _FLUX_CHART:
            yield loc, f"is an unknown key; {ACCEPT}"
    if release.get("spec", "upgrade", "preserveValues"):
        yield (
            ("spec", "upgrade", "preserveValues"),
            "keeps values that are not in the files; write them into the values (`helm get "
            "values`)",
        )
