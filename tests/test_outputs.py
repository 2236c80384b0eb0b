"""What a stack's outputs say about its teams."""

from specs.version import version
from tests.conftest import Program
from tests.program import APP, TENANT, merged, one_of_each, team_file, web_app


def test_the_outputs_say_where_a_team_s_resources_are(program: Program) -> None:
    made = program(team_file(), harbor={"host": "registry.example.com"})
    assert made.outputs["teams"] == {
        "team-alpha": {
            "lifecycle": "active",
            "namespace": "team-alpha",
            "registry": "registry.example.com/team-alpha",
            "openbao": "sre/team-alpha",
            "apps": {},
        }
    }


def test_the_outputs_say_how_each_app_is_reached(program: Program) -> None:
    outside = web_app("app: {port: 3000}\ningress: {enabled: true, host: shop.example.com}", "shop")
    made = program(merged(one_of_each(), outside))
    assert made.outputs["teams"]["team-alpha"]["apps"] == {
        "web-app": {
            "archetype": "web-app",
            "address": "web-app.team-alpha.svc.cluster.local:8080",
        },
        "worker": {"archetype": "worker"},
        "cronjob": {"archetype": "cronjob"},
        "shop": {
            "archetype": "web-app",
            "address": "shop.team-alpha.svc.cluster.local:3000",
            "url": "https://shop.example.com",
        },
    }


def test_the_outputs_have_only_the_stack_s_teams(program: Program) -> None:
    made = program(team_file(), team_file(team="team-beta"), teams=["team-beta"])
    assert list(made.outputs["teams"]) == ["team-beta"]


def test_a_stack_without_teams_has_outputs_too(program: Program) -> None:
    assert program(teams=[], platform=True).outputs["teams"] == {}


def test_the_outputs_also_have_the_version_and_nothing_else(program: Program) -> None:
    made = program(team_file())
    assert made.outputs.keys() == {"teams", "version"}
    assert made.outputs["version"] == version()


def test_a_tenant_gives_out_what_others_need(program: Program) -> None:
    made = program(team_file(), harbor={"host": "registry.example.com"})
    assert made.recording.given[TENANT, "team-alpha"] == {
        "namespace": "team-alpha",
        "registry": "registry.example.com/team-alpha",
        "openbao": "sre/team-alpha",
    }


def test_an_app_gives_out_how_it_is_reached_and_as_whom_it_runs(program: Program) -> None:
    outside = web_app("app: {port: 3000}\ningress: {enabled: true, host: shop.example.com}", "shop")
    shared = web_app("serviceAccount: {create: false}", "plain")
    given = program(merged(one_of_each(), outside, shared)).recording.given
    assert given[APP, "team-alpha/shop"] == {
        "serviceAccount": "shop",
        "address": "shop.team-alpha.svc.cluster.local:3000",
        "url": "https://shop.example.com",
    }
    assert given[APP, "team-alpha/worker"] == {"serviceAccount": "worker"}
    assert given[APP, "team-alpha/plain"]["serviceAccount"] == "default"


def test_a_stack_that_creates_nothing_for_a_team_has_the_same_outputs(program: Program) -> None:
    managed = program(one_of_each())
    told = program(one_of_each(), manage={"kubernetes": False, "harbor": False, "openbao": False})
    assert told.outputs == managed.outputs
    assert told.recording.given == managed.recording.given
