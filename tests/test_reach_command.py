"""`./sre reach` as a command: answers, exit codes and formats, for the shipped teams."""

import json
from pathlib import Path

import pytest

from cli.__main__ import main
from tests.program import ROOT

pytestmark = pytest.mark.commands

Output = pytest.CaptureFixture[str]


def test_yes_names_the_policy_of_each_side(capsys: Output) -> None:
    assert main(["reach", "--from", "team-alpha/my-api", "--to", "team-beta/order-processor"]) == 0
    first, *reasons = capsys.readouterr().out.splitlines()
    assert first == "yes: team-alpha/my-api may reach team-beta/order-processor on 9090/TCP"
    assert [each.split()[:5] for each in reasons] == [
        ["egress", "lets", "through", "NetworkPolicy", "team-alpha/my-api"],
        ["ingress", "lets", "through", "NetworkPolicy", "team-beta/order-processor"],
    ]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("team-alpha/my-api", "team-beta/order-processor:8080"),
        ("team-alpha/frontend", "team-beta/order-processor"),
        ("team-beta/order-processor", "10.99.0.1:8443"),
        ("10.99.0.1", "team-alpha/my-api"),
    ],
)
def test_no_ends_with_1_and_names_what_stops_it(capsys: Output, source: str, target: str) -> None:
    assert main(["reach", "--from", source, "--to", target]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"no: {source} may not reach {target}\n")
    assert "stops" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "", "--to", "team-beta/order-processor"], ": no team or namespace ''; name"),
        (["--to", "team-gama"], "team-gama: no team or namespace 'team-gama'; did you mean"),
        (["--from", "team-alpha/my-ap"], "did you mean team-alpha/my-api?"),
        (["--from", "team-alpha/my-api:80"], "only --to takes a port"),
        (["--out", "/nowhere/at/all"], "/nowhere/at/all: No such file or directory; check"),
    ],
)
def test_a_mistake_on_the_command_line_ends_with_2(
    capsys: Output, arguments: list[str], message: str
) -> None:
    assert main(["reach", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


def test_a_problem_in_a_file_is_not_a_no(tmp_path: Path, capsys: Output) -> None:
    text = (ROOT / "tenants" / "team-alpha.yaml").read_text(encoding="utf-8")
    (tmp_path / "team-alpha.yaml").write_text(f"{text}\nwrong: key\n", encoding="utf-8")
    asked = ["--from", "team-alpha/my-api", "--to", "team-alpha/frontend"]
    assert main(["reach", *asked, "--tenants", str(tmp_path)]) == 2
    assert "team-alpha.yaml" in capsys.readouterr().err


def test_warnings_are_left_to_validation(tmp_path: Path, capsys: Output) -> None:
    text = (ROOT / "tenants" / "team-beta.yaml").read_text(encoding="utf-8")
    warned = text.replace(
        "- port: 9090\n              protocol", "- port: web\n              protocol"
    )
    (tmp_path / "team-beta.yaml").write_text(warned, encoding="utf-8")
    assert main(["validate", "--tenants", str(tmp_path)]) == 0
    assert "warning" in capsys.readouterr().err
    assert main(["reach", "--tenants", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


def test_a_list_marks_what_crosses_teams_and_leaves_the_cluster(capsys: Output) -> None:
    assert main(["reach", "--from", "team-alpha/my-api"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "team-alpha/my-api"
    assert "-> team-beta/order-processor 9090/TCP another team" in lines
    assert "-> anywhere 443/TCP outside the cluster" in lines
    assert "-> team-alpha/frontend all ports" in lines
    assert lines[-1] == "6 connections: 1 between teams, 1 to or from outside the cluster."


def test_one_connection_is_counted_in_the_singular(capsys: Output) -> None:
    assert main(["reach", "--from", "team-alpha/my-api", "--to", "databases"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 connection: 0 between teams")


def test_nothing_is_said_in_words(capsys: Output) -> None:
    assert main(["reach", "--from", "team-beta/order-processor", "--to", "team-alpha"]) == 0
    assert capsys.readouterr().out == "No connections.\n"


def test_json_has_edges_or_the_answer(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "edges.json"
    assert main(["reach", "--to", "databases", "--format", "json", "--out", str(file)]) == 0
    (edge,) = json.loads(file.read_text(encoding="utf-8"))["edges"]
    assert edge["source"] == {
        "kind": "app",
        "team": "team-alpha",
        "app": "my-api",
        "name": "team-alpha/my-api",
    }
    assert (edge["port"], edge["kind"]) == ("5432/TCP", "platform")
    assert edge["reasons"][0]["policy"] == "NetworkPolicy team-alpha/my-api"
    asked = ["--from", "team-alpha/my-api", "--to", "databases/app=postgresql:5433"]
    assert main(["reach", *asked, "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["allowed"], said["ports"]) == (False, [])
    assert not all(reason["allows"] for reason in said["reasons"])


@pytest.mark.parametrize(
    ("form", "start"), [("dot", "digraph"), ("svg", "<svg"), ("html", "<!doctype html>")]
)
def test_a_picture_shows_the_edges_and_keeps_the_exit_code(
    capsys: Output, form: str, start: str
) -> None:
    assert main(["reach", "--from", "team-alpha/my-api", "--format", form]) == 0
    said = capsys.readouterr().out
    assert start in said
    assert "order-processor" in said
    asked = ["--from", "team-alpha/frontend", "--to", "team-beta/order-processor"]
    assert main(["reach", *asked, "--format", form]) == 1
