"""Who owns which field of an object, in the sandbox as with the official provider."""

from typing import Any

import pytest

from sandbox import field_managers

OURS = "pulumi-kubernetes-0123abcd"
KIND, ID = "apps/v1:Deployment", "team-alpha/my-api"


def entry(manager: str, operation: str, *fields: str, subresource: str = "") -> dict[str, Any]:
    owned = {"manager": manager, "operation": operation, "fieldsV1": tree(*fields)}
    return {**owned, **({"subresource": subresource} if subresource else {})}


def tree(*fields: str) -> dict[str, Any]:
    return {"f:spec": {f"f:{field}": {} for field in fields}}


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(entries)}}


def test_a_name_is_kept_as_the_state_has_it() -> None:
    new = field_managers.name_of(KIND, ID, {})
    outputs = field_managers.recorded(live(), "pulumi-kubernetes-of-the-state")
    assert field_managers.name_of(KIND, ID, outputs) == "pulumi-kubernetes-of-the-state" != new
    assert field_managers.name_of(KIND, "team-alpha/frontend", {}) != new


@pytest.mark.parametrize(
    "other",
    [
        entry("kubectl-patch", "Update", "paused"),
        entry("kubectl-client-side-apply", "Update", "paused"),
        entry("kubectl", "Apply", "paused"),
        entry(OURS, "Update", "paused"),
    ],
    ids=lambda other: f"{other['manager']} {other['operation']}",
)
def test_an_update_takes_over_what_kubectl_has_set_and_what_was_posted(
    other: dict[str, Any],
) -> None:
    merged = entry(OURS, "Apply", "replicas", "paused")
    for entries in ([entry(OURS, "Apply", "replicas"), other], [other]):
        taken = field_managers.with_taken_over(live(*entries), OURS)
        wanted = merged if len(entries) == 2 else entry(OURS, "Apply", "paused")
        assert taken == [wanted]


@pytest.mark.parametrize(
    "other",
    [
        entry("kube-controller-manager", "Update", "replicas", subresource="scale"),
        entry("kubectl", "Update", "replicas", subresource="scale"),
        entry("argocd-controller", "Apply", "replicas"),
        entry("pulumi-kubernetes-of-another", "Apply", "replicas"),
    ],
    ids=lambda other: f"{other['manager']} {other.get('subresource', '')}",
)
def test_what_an_autoscaler_or_another_manager_has_set_stays_its_own(other: dict[str, Any]) -> None:
    assert field_managers.with_taken_over(live(entry(OURS, "Apply"), other), OURS) is None
    mine, edited = entry(OURS, "Apply"), entry("kubectl-edit", "Update", "paused")
    taken = field_managers.with_taken_over(live(mine, other, edited), OURS)
    assert taken == [other, entry(OURS, "Apply", "paused")]
