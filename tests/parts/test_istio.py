"""What Istio's own checks find in everything created here, and in deliberate mistakes."""

import json
import subprocess
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from binaries import istio
from tests.conftest import Program
from tests.connections import CALLING
from tests.program import Made
from tests.written import KEYS_STACK, dev_settings

pytestmark = pytest.mark.parts

ROOT = Path(__file__).parents[2]
PLATFORM = ROOT / "sandbox" / "servers" / "platform.yaml"
TEAMS = ROOT / "tests" / "teams"

Object = dict[str, Any]

# The gateway's pod, which sandbox/servers/platform.yaml lacks: it has only the Gateway.
GATEWAY_POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "istio-ingressgateway",
        "namespace": "istio-system",
        "labels": {"istio": "ingressgateway"},
    },
    "spec": {"containers": [{"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.31.0"}]},
}


class Message(NamedTuple):
    """A finding of `istioctl analyze`."""

    code: str
    level: str
    origin: str
    message: str


Analyze = Callable[[Iterable[Object]], list[Message]]


@pytest.fixture(scope="module")
def istioctl() -> Path:
    return istio.programs().istioctl


@pytest.fixture(scope="module")
def platform() -> Sequence[Object]:
    """The objects of the mesh that are on the cluster before."""
    documents = yaml.safe_load_all(PLATFORM.read_text(encoding="utf-8"))
    return [*(each for each in documents if each["kind"] == "Gateway"), GATEWAY_POD]


@pytest.fixture(scope="module")
def analyze(
    istioctl: Path, platform: Sequence[Object], tmp_path_factory: pytest.TempPathFactory
) -> Analyze:
    def analyze(objects: Iterable[Object]) -> list[Message]:
        file = tmp_path_factory.mktemp("objects") / "all.yaml"
        file.write_text(yaml.safe_dump_all([*platform, *objects]), encoding="utf-8")
        options = ["--use-kube=false", "--all-namespaces", "--output", "json"]
        command = [str(istioctl), "analyze", *options, str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout.startswith("["), done.stdout + done.stderr
        return [
            Message(each["code"], each["level"], each["origin"], each["message"])
            for each in json.loads(done.stdout)
        ]

    return analyze


@pytest.fixture(scope="module")
def enforcing(program: Program) -> Made:
    """The shipped teams and one that uses every key, with all that the mesh can be asked for."""
    files = [*sorted((ROOT / "tenants").glob("*.yaml")), TEAMS / "team-gamma.yaml"]
    return program(
        *(file.read_text(encoding="utf-8") for file in files),
        platform=True,
        harbor={"sharedProjects": ["base-images"]},
        istio={
            "authorization": "enforce",
            "gatewayPodLabels": {"istio": "ingressgateway"},
            "proxy": {"requests": {"cpu": "50m"}, "limits": {"cpu": "200m", "memory": "256Mi"}},
        },
        metrics={"scrape": "mesh"},
        namespace=dev_settings().namespace.model_dump(mode="json", by_alias=True),
    )


# Of a host that is called by TCP: nobody knows its addresses, and its port is open to all of them.
TCP_WITHOUT_ADDRESSES = {"IST0133", "IST0134"}


def without_addresses(objects: Iterable[Object]) -> set[tuple[str, str]]:
    """What Istio warns of: code and ServiceEntry."""
    return {
        (code, f"ServiceEntry {each['metadata']['namespace']}/{each['metadata']['name']}")
        for each in objects
        if each["kind"] == "ServiceEntry"
        if "addresses" not in each["spec"]
        if "TCP" in {port["protocol"] for port in each["spec"]["ports"]}
        for code in TCP_WITHOUT_ADDRESSES
    }


def in_cluster(made: Made) -> list[Object]:
    return [each.inputs for each in made.of_package("kubernetes") if "apiVersion" in each.inputs]


def test_istio_finds_nothing_wrong_with_what_the_program_creates(
    analyze: Analyze, everything: Made
) -> None:
    objects = in_cluster(everything)
    assert {each[:3:2] for each in analyze(objects)} == without_addresses(objects)


def test_istio_finds_nothing_wrong_with_authorization_policies_and_a_scrape_in_the_mesh(
    analyze: Analyze, enforcing: Made
) -> None:
    objects = in_cluster(enforcing)
    assert "AuthorizationPolicy" in {each["kind"] for each in objects}
    assert analyze(objects) == []


@pytest.fixture(scope="module")
def calling(program: Program) -> Made:
    """Two teams whose apps call each other, hosts outside and services of the platform."""
    return program(*(file.read_text(encoding="utf-8") for file in CALLING), **KEYS_STACK)


def test_istio_finds_nothing_wrong_with_calls_and_callers(
    analyze: Analyze, calling: Made, istioctl: Path, tmp_path: Path
) -> None:
    objects = in_cluster(calling)
    assert {"AuthorizationPolicy", "ServiceEntry"} <= {each["kind"] for each in objects}
    assert without_addresses(objects)
    assert {each[:3:2] for each in analyze(objects)} == without_addresses(objects)
    assert validated(istioctl, tmp_path, objects).returncode == 0


def validated(
    istioctl: Path, folder: Path, objects: Iterable[Object]
) -> subprocess.CompletedProcess[str]:
    """What `istioctl validate` finds."""
    file = folder / "all.yaml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    command = [str(istioctl), "validate", "--filename", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("ServiceEntry", {"resolution": "STATIC", "endpoints": [{"address": "not an address"}]}),
        ("AuthorizationPolicy", {"rules": [{"to": [{"operation": {"paths": [""]}}]}]}),
    ],
)
def test_istio_refuses_a_call_s_object_with_a_mistake(
    calling: Made, istioctl: Path, tmp_path: Path, kind: str, change: Object
) -> None:
    wrong = first(in_cluster(calling), kind)
    wrong["spec"] |= change
    assert validated(istioctl, tmp_path, [wrong]).returncode != 0


def test_each_object_of_the_mesh_is_valid_by_itself(
    istioctl: Path, enforcing: Made, tmp_path: Path
) -> None:
    objects = in_cluster(enforcing)
    done = validated(istioctl, tmp_path, objects)
    assert done.returncode == 0, done.stderr
    route = first(objects, "VirtualService")
    route["spec"]["http"][0]["timeout"] = "soon"
    assert validated(istioctl, tmp_path, [*objects, route]).returncode != 0


def first(objects: Iterable[Object], kind: str) -> Object:
    return deepcopy(next(each for each in objects if each["kind"] == kind))


def test_istio_finds_a_route_through_a_missing_gateway(analyze: Analyze, everything: Made) -> None:
    route = first(in_cluster(everything), "VirtualService")
    route["metadata"]["name"] = "lost"
    route["spec"]["gateways"] = ["istio-system/other"]
    found = analyze([*in_cluster(everything), route])
    assert ("IST0101", "Error") in {(each.code, each.level) for each in found}
