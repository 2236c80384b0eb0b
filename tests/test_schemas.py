"""The API server accepts everything that the program creates: no unknown key, no wrong type.

Kubernetes' own objects are held against its published schemas, custom resources against those of
their projects (`sandbox/crds/`), both strictly: a key that the schema does not name is an error.
"""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft202012Validator, ValidationError

from tests.conftest import Program
from tests.definitions import validator_of
from tests.program import (
    AUTHORIZATION_POLICY,
    EXTERNAL_SECRET,
    PROMETHEUS_RULE,
    ROOT,
    SECRET_STORE,
    SERVICE_ENTRY,
    SERVICE_MONITOR,
    VIRTUAL_SERVICE,
    Made,
    Resource,
    one_of_each,
)

KUBERNETES = "1.36"
CRDS = ROOT / "sandbox" / "crds"
CUSTOM = (
    VIRTUAL_SERVICE,
    AUTHORIZATION_POLICY,
    SERVICE_ENTRY,
    SERVICE_MONITOR,
    PROMETHEUS_RULE,
    EXTERNAL_SECRET,
    SECRET_STORE,
)


@pytest.fixture(scope="module", autouse=True)
def _schemas_are_read_once() -> Any:
    """The library parses 3 MB of definitions for each object."""
    utils = kubernetes_validate.utils
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", cache(utils.schema_contents))
        yield


def _check_native(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def _check_custom(document: dict[str, Any]) -> None:
    _validator(document["kind"], document["apiVersion"].rpartition("/")[2]).validate(document)


@cache
def _validator(kind: str, version: str) -> Draft202012Validator:
    return validator_of(CRDS / f"{kind}.yaml", version)


def _native(made: Made) -> list[Resource]:
    return [one for one in made.of_package("kubernetes") if one.type not in CUSTOM]


def test_kubernetes_accepts_every_object(everything: Made) -> None:
    kinds = set()
    for one in _native(everything):
        _check_native(one.inputs)
        kinds.add(one.inputs["kind"])
    assert len(kinds) == 15


def test_the_operators_accept_every_custom_resource(everything: Made) -> None:
    for kind in CUSTOM:
        made = everything.all(kind)
        assert made, kind
        for one in made:
            _check_custom(one.inputs)


def test_an_older_external_secrets_accepts_its_objects_too(program: Program) -> None:
    made = program(
        one_of_each("app: {env: [{name: X, secretRef: x}]}"),
        platform=True,
        externalSecrets={"apiVersion": "v1beta1"},
    )
    older = [one for one in made.resources if "external-secrets.io/v1beta1" in one.type]
    assert len(older) == 3
    for one in older:
        _check_custom(one.inputs)


def test_a_misspelt_key_of_a_kubernetes_object_fails(everything: Made) -> None:
    for one in _native(everything):
        _fails_once_misspelt(one, _check_native, kubernetes_validate.ValidationError)


def test_a_misspelt_key_of_a_custom_resource_fails(everything: Made) -> None:
    for kind in CUSTOM:
        for one in everything.all(kind):
            _fails_once_misspelt(one, _check_custom, ValidationError)


def _fails_once_misspelt(
    one: Resource, check: Callable[[dict[str, Any]], None], error: type[Exception]
) -> None:
    document = copy.deepcopy(one.inputs)
    block = document.get("spec") or document["metadata"]
    key = min(block)
    block[f"{key}x"] = block.pop(key)
    with pytest.raises(error):
        check(document)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("spec", "data", 0, "remoteRef", "propertyy"), "value"),
        (("spec", "refreshInterval"), 3600),
        (("spec", "secretStoreRef", "kind"), "Store"),
    ],
)
def test_a_mistake_deep_in_an_external_secret_fails(
    everything: Made, path: tuple[Any, ...], wrong: Any
) -> None:
    document = copy.deepcopy(everything.one(EXTERNAL_SECRET, "team-gamma/smtp").inputs)
    _check_custom(document)
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = wrong
    with pytest.raises(ValidationError):
        _check_custom(document)
