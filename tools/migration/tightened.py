"""What becomes stricter: closed networks, a mesh that is joined, hardened containers."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from specs.exceptions import CAPABILITIES, PRIVILEGED_PORT, WRITABLE_ROOT
from specs.openings import EGRESS, INGRESS, directions
from specs.problem import Finding, Problem
from tools.migration import policies
from tools.migration.app_draft import AppDraft
from tools.migration.chart_process import CONTEXTS
from tools.migration.documents import Manifest
from tools.migration.import_findings import Findings
from tools.migration.live_losses import LEVELS, POD_SECURITY
from tools.migration.value import Value

_INJECTION = "istio-injection"
# Each of these by itself sets how a namespace takes part in the mesh.
_MESH = (_INJECTION, "istio.io/rev", "istio.io/dataplane-mode")

_LETS = {
    INGRESS: "lets in only Istio's gateway, Prometheus and the namespace",
    EGRESS: "lets out only DNS, the namespace and port 443",
}
_RULES = {
    INGRESS: "`networkPolicy.additionalIngress`",
    EGRESS: "`networkPolicy.additionalEgress`",
}

_NOT_ROOT = "containers must not run as root; set `app.runAs.user`, or another user in the image"


def note_tightened(
    objects: Sequence[Manifest],
    apps: Sequence[AppDraft],
    made: Mapping[tuple[str, str], Mapping[str, Any]],
    findings: Findings,
) -> None:
    """Note what the team and its apps may no longer do, once the program has created them."""
    closed_now = policies.closed(
        each for (kind, _), each in made.items() if kind == "NetworkPolicy"
    )
    closed = policies.closed(each.data for each in objects if each.kind == "NetworkPolicy")
    closing = sorted(closed_now - closed)
    opening = list(_opening(objects, made, closed))
    for manifest in objects:
        if manifest.kind == "Namespace" and not manifest.group:
            here = made["Namespace", manifest.name]
            for loc, message in _of_namespace(manifest, here, closing):
                findings.note(manifest.problem(loc, message))
            if opening:
                message = (
                    "no policy here allows everything that these policies of the program allow: "
                    f"{', '.join(opening)}; contact the platform team if that must stay closed"
                )
                findings.note(manifest.problem(("metadata", "name"), message))
    for app in apps:
        for note in app.notes:
            findings.note(note)
        enabled, missing = app.entry.find(("networkPolicy", "enabled"))
        if closing and not missing and enabled.data is False:
            findings.note(enabled.problem(_closing("the app", closing)))


def _opening(
    objects: Sequence[Manifest],
    made: Mapping[tuple[str, str], Mapping[str, Any]],
    closed: Set[str],
) -> Iterator[str]:
    """The created policies that allow all pods what today's closed network does not."""
    here = {each.name: each.data for each in objects if each.kind == "NetworkPolicy"}
    for (kind, name), policy in made.items():
        # One with this name in the manifests is compared by itself.
        if kind != "NetworkPolicy" or name in here or policy["spec"].get("podSelector"):
            continue
        is_closed = closed >= set(directions(policy))
        if is_closed and not policies.is_covered(policy, here.values()):
            yield name


def hardened(values: Value) -> Iterator[Problem]:
    """What a release's values allow its containers, and the program does not."""
    for context in CONTEXTS:
        found, missing = values.find(context)
        if missing or not isinstance(found.data, dict):
            continue
        for loc, message in _of_context(found.plain):
            yield found.problem(message, loc)


def _of_namespace(
    manifest: Manifest, made: Mapping[str, Any], closing: Sequence[str]
) -> Iterator[Finding]:
    labels, here = manifest.mapping("metadata", "labels"), made["metadata"].get("labels") or {}
    if here.get(_INJECTION) == "enabled" and not any(label in labels for label in _MESH):
        yield (
            ("metadata", "name"),
            f"is not in the mesh today (no label {_INJECTION}: enabled), but will join it: "
            "pods get a sidecar when they restart, and use mTLS",
        )
    enforce = f"{POD_SECURITY}enforce"
    level, level_now = labels.get(enforce), here.get(enforce)
    if level_now and _rank(level) < _rank(level_now):
        yield (
            ("metadata", "labels", enforce) if level else ("metadata", "name"),
            f"Pod Security rises from {level or 'no level'} to {level_now}, which the stack "
            "enforces; pods that need more privileges are refused",
        )
    if closing:
        yield ("metadata", "name"), _closing("all pods", closing)


def _rank(level: Any) -> int:
    return LEVELS.index(level) if level in LEVELS else 0


def _closing(whose: str, directions: Sequence[str]) -> str:
    what = " and ".join(direction.lower() for direction in directions)
    lets = " and ".join(_LETS[direction] for direction in directions)
    rules = " and ".join(_RULES[direction] for direction in directions)
    return (
        f"no policy here restricts {what} of {whose} today; the program {lets}: add other rules "
        f"under {rules} of the app"
    )


def _of_context(context: Mapping[str, Any]) -> Iterator[Finding]:
    if context.get("readOnlyRootFilesystem") is False:
        yield (
            ("readOnlyRootFilesystem",),
            "the root file system becomes read-only; list the paths that the app writes to under "
            f"`app.writablePaths`, or have an exception approved ({WRITABLE_ROOT})",
        )
    if context.get("runAsNonRoot") is False:
        yield ("runAsNonRoot",), _NOT_ROOT
    if context.get("runAsUser") == 0:
        yield ("runAsUser",), _NOT_ROOT
    for key in ("allowPrivilegeEscalation", "privileged"):
        if context.get(key) is True:
            yield (key,), "containers cannot be privileged; the app must run without it"
    if context.get("sysctls"):
        yield (
            ("sysctls",),
            "the kernel's parameters stay as they are; for a port below 1024, have an exception "
            f"approved ({PRIVILEGED_PORT})",
        )
    capabilities = context.get("capabilities")
    if isinstance(capabilities, Mapping) and (added := capabilities.get("add")):
        possible = [each for each in CAPABILITIES if each in added]
        approved = f", or have exceptions approved ({', '.join(possible)})" if possible else ""
        yield (
            ("capabilities", "add"),
            f"all capabilities are dropped; the app must run without them{approved}",
        )
