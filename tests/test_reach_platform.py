"""Names of the platform in `./sre reach`: services of the stack, gateways and Prometheus."""

import pytest

from cli import reach as reach_command
from cli import stack_options
from cli.__main__ import main
from tests.reachable import app, deny_all, egress, ingress, line, named, namespace, policy
from tests.written import ROOT, keys_checkout, settings
from tools.reach import ports
from tools.reach.answer import answer_for
from tools.reach.named import platform_names
from tools.reach.names import UnknownNameError, find
from tools.reach.questions import listed
from tools.reach.world import world

SERVICES = {
    "databases": {"namespace": "databases", "podLabels": {"app": "pg"}, "ports": (5432,)},
    "queue": {"namespace": "queue", "ports": (9092,)},
    "smtp": {"host": "SMTP.example.com", "ports": (465, 587)},
    "kubernetes-api": {"cidrs": ("10.0.0.1/32", "10.0.0.2/32"), "ports": (6443,)},
    "b": {"cidrs": ("10.9.9.9/32",), "ports": (25,)},
}
SETTINGS = settings(network={"platform": SERVICES})
BLOCK = {"ipBlock": {"cidr": "10.0.0.2/32"}}
OBJECTS = [
    *(namespace("a"), namespace("b"), app("a", "one"), app("b", "two")),
    *(deny_all("a"), deny_all("b")),
    policy(
        "a",
        "out",
        egress=[
            egress(named("databases", app="pg"), ports=[{"port": 5432}]),
            egress(BLOCK, ports=[{"port": 6443}]),
            egress(ports=[{"port": 587}]),
        ],
        ingress=[ingress(named("istio-system", istio="gw")), ingress(named("monitoring"))],
    ),
]
WORLD = world(OBJECTS, gateways=["istio-system"])
PLATFORM = platform_names(WORLD, SETTINGS)


@pytest.mark.parametrize(
    ("source", "target", "opened"),
    [
        ("a/one", "databases", ("5432/TCP",)),
        ("a/one", "databases:5432", ("5432/TCP",)),
        ("a/one", "databases:5433", ()),
        ("a/one", "queue", ()),  # its pods are named by no policy
        ("b/two", "databases", ()),
        ("a/one", "smtp", ("587/TCP",)),
        ("a/one", "smtp:465", ()),
        ("a/one", "kubernetes-api", ("6443/TCP",)),  # by one of its addresses
        ("b/two", "kubernetes-api", ()),
        ("gateway", "a/one", ("all ports",)),
        ("gateway", "b/two", ()),
        ("prometheus", "a/one", ("all ports",)),
        ("prometheus", "b/two", ()),
        ("a/one", "gateway", ("587/TCP",)),
        ("a/one", "b/two", ()),
    ],
)
def test_a_name_of_the_platform_is_answered_with_yes_or_no(
    source: str, target: str, opened: tuple[str, ...]
) -> None:
    one, other = (find(WORLD, each, PLATFORM) for each in (source, target))
    found = answer_for(WORLD, one.nodes, other.nodes, other.asked)
    assert (found.allowed, found.ports) == (bool(opened), opened)
    assert [each for each in found.reasons if each.allows != found.allowed] == [] or not opened


def test_an_answer_says_what_the_name_stands_for() -> None:
    assert find(WORLD, "smtp:25", PLATFORM).shown == "smtp:25 (smtp.example.com)"
    assert find(WORLD, "databases", PLATFORM).shown == "databases (databases/app=pg)"


def test_a_team_has_its_name_before_a_service_and_a_service_before_a_namespace() -> None:
    assert find(WORLD, "b", PLATFORM).nodes == ()
    assert find(WORLD, "databases", PLATFORM).asked == ports.number(5432)
    assert find(WORLD, "databases").asked == ports.ALL


@pytest.mark.parametrize(
    ("source", "target", "lines"),
    [
        ("a", "smtp", ["a/one -> smtp.example.com 587/TCP"]),
        ("b", "smtp", []),
        (None, "databases", ["a/one -> databases/app=pg 5432/TCP"]),
        ("a", "databases:587", ["a/one -> databases/app=pg 587/TCP"]),
        ("prometheus", None, ["monitoring/prometheus -> a/one all ports"]),
        # What is open to everyone is open to a place that is asked for.
        ("a", "192.0.2.7", ["a/one -> 192.0.2.7 587/TCP"]),
    ],
)
def test_a_list_agrees_with_the_answers(
    source: str | None, target: str | None, lines: list[str]
) -> None:
    ends = (find(WORLD, text, PLATFORM) if text else None for text in (source, target))
    assert [line(edge) for edge in listed(WORLD, *ends)] == lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("smpt", "no team or namespace 'smpt'; did you mean smtp?"),
        ("Gateway", "no team or namespace 'Gateway'; did you mean gateway?"),
        ("one", "no team or namespace 'one'; did you mean a/one?"),
        ("https://api.example.com/v1", "is a URL; write only its host and port, HOST:PORT"),
        ("kubernetes.default.svc", "leads to no pods; name an address of the API server"),
        ("nothing", "name a team, an app (TEAM/APP), gateway, prometheus, databases, queue, smtp,"),
        ("elsewhere/app", "the stack does not have elsewhere; name one that does with --stack"),
    ],
)
def test_an_unknown_name_says_what_to_write(text: str, message: str) -> None:
    known = world(OBJECTS, ["elsewhere"], ["istio-system"])
    with pytest.raises(UnknownNameError) as error:
        find(known, text, platform_names(known, SETTINGS))
    assert message in str(error.value)


def test_an_api_server_that_the_stack_does_not_define_has_an_address() -> None:
    with pytest.raises(UnknownNameError) as error:
        find(WORLD, "kubernetes-api", platform_names(WORLD, settings()))
    assert "the stack does not define this service; name an address" in str(error.value)


@pytest.mark.commands
def test_the_command_knows_the_services_of_the_stack(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkout = keys_checkout(tmp_path_factory.mktemp("checkout"))
    for module in (stack_options, reach_command):
        monkeypatch.setattr(module, "ROOT", checkout)
    folder = ["--tenants", str(ROOT / "tests" / "keys")]
    assert main(["reach", "--from", "gateway", "--to", "mail", *folder]) == 0
    said = capsys.readouterr().out
    assert said.startswith("yes: gateway (")
    assert " may reach mail (smtp.example.com) on 587/TCP\n" in said
