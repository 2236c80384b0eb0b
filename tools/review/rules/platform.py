"""What all teams share: admission policies and the providers (NIST 800-53 CM-6, SC-8)."""

from collections.abc import Iterator
from typing import Any

from tools.review.pair import Hit, Pair
from tools.review.review_findings import Rules

_UNVERIFIED = ("insecure", "skipTlsVerify")


def admission_policy(pair: Pair) -> Iterator[Hit]:
    """A ValidatingAdmissionPolicy; no rule can tell a stricter expression from a weaker one."""
    if pair.before and pair.now("spec") != pair.was("spec"):
        yield Hit(Rules.GUARDRAIL, f"{pair.object.name} checks something else")


def admission_binding(pair: Pair) -> Iterator[Hit]:
    """What happens to violations of a policy, and in which namespaces it applies."""
    name = pair.object.name
    actions = pair.now("spec.validationActions") or ()
    if "Deny" not in actions and (
        pair.before is None or "Deny" in (pair.was("spec.validationActions") or ())
    ):
        yield Hit(Rules.GUARDRAIL, f"{name} admits what it forbids")
    elif pair.before and _beside_actions(pair.now("spec")) != _beside_actions(pair.was("spec")):
        yield Hit(Rules.GUARDRAIL, f"{name} applies elsewhere, or to another policy")


def provider(pair: Pair) -> Iterator[Hit]:
    """How the program reaches a server."""
    if pair.before is None and pair.base.of(pair.object.kind):
        yield Hit(Rules.UNKNOWN, f"{pair.object.shown} is new")
    for field in _UNVERIFIED:
        if str(pair.now(field)).lower() == "true" and str(pair.was(field)).lower() != "true":
            yield Hit(Rules.TLS, f"{pair.object.name}: {field}")
    if pair.before and pair.now("clusterIdentifier") != pair.was("clusterIdentifier"):
        yield Hit(Rules.REPLACED, "every Kubernetes object: the cluster's identifier changes")


def _beside_actions(spec: Any) -> dict[str, Any]:
    return {key: value for key, value in (spec or {}).items() if key != "validationActions"}
