"""Taking over a claim that exists: nothing of it that cannot change is touched."""

import copy
from typing import Any, cast

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from components.takeover import MANAGER, UnadoptableError, take_over

WANTED: Object = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "my-api-data", "namespace": "team-alpha", "labels": {"ours": "1"}},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
    },
}
APPLIED = {
    "manager": "kubectl-client-side-apply",
    "operation": "Update",
    "fieldsV1": {
        "f:metadata": {"f:labels": {".": {}, "f:theirs": {}}},
        "f:spec": {"f:accessModes": {}, "f:storageClassName": {}, "f:volumeName": {}},
    },
}
OURS = {
    "manager": MANAGER,
    "operation": "Apply",
    "fieldsV1": {
        "f:metadata": {"f:labels": {"f:ours": {}}},
        "f:spec": {"f:accessModes": {}, "f:resources": {"f:requests": {"f:storage": {}}}},
    },
}


class OneClaim:
    """An API server that has the claim, which its makers gave a class and a volume of its own."""

    def __init__(self, refusal: str = "") -> None:
        self._refusal = refusal
        self.written: Object | None = None
        self._live: Object = {
            **copy.deepcopy(WANTED),
            "metadata": {
                "name": "my-api-data",
                "namespace": "team-alpha",
                "labels": {"theirs": "1"},
                "resourceVersion": "7",
                "managedFields": [APPLIED],
            },
        }
        self._live["spec"] |= {"storageClassName": "fast", "volumeName": "disk-7"}

    def get(self, *_: Any) -> Object:
        return copy.deepcopy(self._live)

    def apply(self, wanted: Object, manager: str, dry_run: bool) -> Object:
        if self._refusal:
            raise RefusedError("the API server", 422, self._refusal)
        after = self.get()
        after["metadata"]["labels"] |= wanted["metadata"]["labels"]
        after["metadata"]["managedFields"] = [APPLIED, OURS]
        return after

    def path_of(self, _: Object) -> str:
        return "claim"

    def call(self, method: str, path: str, body: Object, query: Any) -> Object:
        assert (method, path, query["dryRun"]) == ("PUT", "claim", "All")
        self.written = body
        return body


def test_a_claims_volume_and_class_stay_whoever_set_them() -> None:
    server = OneClaim()
    assert take_over(cast(Cluster, server), WANTED, dry_run=True)
    assert server.written
    assert server.written["spec"] == server.get()["spec"]
    assert server.written["metadata"]["labels"] == {"ours": "1"}


def test_a_claim_that_cannot_become_what_the_file_says_is_not_to_be_deleted() -> None:
    server = cast(Cluster, OneClaim("spec: Forbidden: field can not be less than status.capacity"))
    with pytest.raises(UnadoptableError) as raised:
        take_over(server, WANTED, dry_run=True)
    said = str(raised.value)
    assert said.startswith(
        "PersistentVolumeClaim team-alpha/my-api-data exists and cannot be changed to what the "
        "team's file says: "
    )
    assert said.endswith("it was not changed; write the size, access mode and class that it has")
    assert "delete" not in said
