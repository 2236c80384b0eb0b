"""The doctor on volumes: whether the cluster has their StorageClasses."""

from typing import Any, cast

import pytest

from clients.http import RefusedError
from clients.kubernetes import Cluster
from tools.doctor.examination import Status
from tools.doctor.storage_classes import storage_classes

pytestmark = pytest.mark.commands


def claim(name: str, storage_class: str = "") -> dict[str, Any]:
    named = {"storageClassName": storage_class} if storage_class else {}
    return {"metadata": {"namespace": "team-alpha", "name": name}, "spec": named}


class Classes:
    """A cluster with these StorageClasses; the one that is marked is the default."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def list(self, api_version: str, kind: str) -> list[dict[str, Any]]:
        assert (api_version, kind) == ("storage.k8s.io/v1", "StorageClass")
        default = {"storageclass.kubernetes.io/is-default-class": "true"}
        return [
            {
                "metadata": {
                    "name": name.rstrip("*"),
                    "annotations": default if name.endswith("*") else None,
                }
            }
            for name in self._names
        ]


class Closed:
    def __init__(self, status: int) -> None:
        self._status = status

    def list(self, *_: str) -> list[Any]:
        raise RefusedError("the API server", self._status, "no")


CLAIMS = [claim("a"), claim("b", "fast"), claim("c", "fast")]


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        (("standard*", "fast"), ["2 there, with those of 3 volumes"]),
        (("standard*",), ["no StorageClass fast, for team-alpha/b, team-alpha/c"]),
        (("fast",), ["no default, for team-alpha/a"]),
        ((), ["no default, for team-alpha/a",
              "no StorageClass fast, for team-alpha/b, team-alpha/c"]),
    ],
)  # fmt: skip
def test_a_missing_class_is_named_with_the_volumes_that_wait(
    classes: tuple[str, ...], found: list[str]
) -> None:
    outcomes = list(storage_classes(cast(Cluster, Classes(*classes)), CLAIMS))
    assert [each.found for each in outcomes] == found
    good = found[0].startswith("2 there")
    assert {each.status for each in outcomes} == {Status.OK if good else Status.WARN}


def test_classes_that_may_not_be_listed_are_not_judged() -> None:
    (outcome,) = storage_classes(cast(Cluster, Closed(403)), CLAIMS)
    assert outcome.found == "this identity may not list them"
    with pytest.raises(RefusedError):
        list(storage_classes(cast(Cluster, Closed(500)), CLAIMS))
