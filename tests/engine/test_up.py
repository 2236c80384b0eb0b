"""`make up`, `make preview` and `make down` on the real engine, with the providers stood in for."""

import re

import pytest

from cli.__main__ import main
from tests.checkouts import Checkout, Run

pytestmark = pytest.mark.engine


def test_the_first_up_provisions_both_teams_with_all_three_archetypes(
    provisioned: tuple[Checkout, Run],
) -> None:
    checkout, run = provisioned
    assert checkout.names() >= {
        "Namespace team-alpha",
        "Namespace team-beta",
        "Project team-alpha",
        "SecretV2 team-beta/harbor-pull",
        "Deployment team-alpha/my-api",
        "Deployment team-beta/order-processor",
        "CronJob team-beta/nightly-report",
    }
    assert run.count("created") == len(checkout.resources())
    assert "https://my-api.apps.sre.example.com" in run.output
    assert re.search(r"^team-beta +nightly-report +cronjob", run.output, re.MULTILINE)


def test_a_second_up_says_that_everything_is_unchanged(
    provisioned: tuple[Checkout, Run], checkout: Checkout
) -> None:
    _, first = provisioned
    second = checkout.up()
    assert second.count("unchanged") == first.count("created")
    assert not second.steps("created") | second.steps("updated") | second.steps("deleted")


def test_a_run_writes_nothing_outside_the_sandbox(provisioned: tuple[Checkout, Run]) -> None:
    checkout, _ = provisioned
    assert checkout.files() == checkout.as_copied


def test_a_changed_quota_is_one_update_in_preview_and_in_up(checkout: Checkout) -> None:
    checkout.edit("tenants/team-beta.yaml", "pods: 30", "pods: 31")
    before = checkout.state()
    preview = checkout.run("preview")
    assert preview.code == 0, preview.output
    assert preview.count("to update") == 1
    assert '~ pods: "30" => "31"' in preview.output
    assert checkout.state() == before

    assert checkout.up().steps("updated") == {"ResourceQuota team-beta/team-beta-quota"}


@pytest.mark.parametrize(
    ("team", "app", "workload"),
    [
        ("team-alpha", "my-api", "Deployment team-alpha/my-api"),
        ("team-beta", "order-processor", "Deployment team-beta/order-processor"),
        ("team-beta", "nightly-report", "CronJob team-beta/nightly-report"),
    ],
)
def test_a_release_changes_one_object(
    checkout: Checkout, team: str, app: str, workload: str
) -> None:
    tenants = str(checkout.folder / "tenants")
    assert main(["set-image", team, app, "v9.0.0", "--tenants", tenants]) == 0
    preview = checkout.run("preview")
    assert preview.code == 0, preview.output
    assert preview.count("to update") == 1
    assert preview.count("unchanged") == len(checkout.resources()) - 1

    run = checkout.up()
    assert run.steps("updated") == {workload}
    assert run.count("unchanged") == len(checkout.resources()) - 1


def test_a_preview_of_a_new_team_does_without_what_is_not_known_yet(checkout: Checkout) -> None:
    new = checkout.folder / "tenants/team-gamma.yaml"
    new.write_text("team: team-gamma\n", encoding="utf-8")
    preview = checkout.run("preview")
    assert preview.code == 0, preview.output
    assert preview.count("to create") > 20
    assert not any("team-gamma" in name for name in checkout.names())


def test_an_app_that_is_removed_takes_just_its_objects_along(checkout: Checkout) -> None:
    text = (checkout.folder / "tenants/team-beta.yaml").read_text(encoding="utf-8")
    keep, _, _ = text.partition("  # Runs every night.")
    (checkout.folder / "tenants/team-beta.yaml").write_text(keep, encoding="utf-8")
    run = checkout.up()
    assert run.steps("deleted") == {
        "ConfigMap team-beta/nightly-report-dashboard",
        "CronJob team-beta/nightly-report",
        "PrometheusRule team-beta/nightly-report",
        "ServiceAccount team-beta/nightly-report",
        "NetworkPolicy team-beta/nightly-report",
        "ExternalSecret team-beta/report-db-credentials",
    }
    assert run.steps("updated") == {"ConfigMap team-beta/team-beta-dashboards"}  # it lists apps
    assert not run.steps("created")


def test_what_holds_data_in_harbor_and_what_goes_before_it_is_kept(checkout: Checkout) -> None:
    before = checkout.state()
    checkout.edit(
        "Pulumi.dev.yaml",
        "  sre-platform:guardrails:",
        "  sre-platform:manage: {harbor: false}\n  sre-platform:guardrails:",
    )
    run = checkout.run("up")
    assert run.code == 1
    refused = set(re.findall(r":(\w+::[\w/.-]+)\" cannot be deleted", run.output))
    # Of what goes first; project, robots and members would follow.
    assert refused >= {"RetentionPolicy::team-beta", "SecretV2::team-beta/harbor-pull"}
    assert "Nothing was changed, because resources that hold data are protected." in run.output
    assert checkout.state() == before


def test_a_bad_file_changes_nothing_and_is_reported_by_line(checkout: Checkout) -> None:
    before = checkout.state()
    checkout.edit("tenants/team-alpha.yaml", 'tag: "v2.1.0"', "tag: latest")
    checkout.edit("tenants/team-beta.yaml", "pods: 30", "pods: 31")
    run = checkout.run("up")
    assert run.code == 1
    assert re.search(
        r"tenants/team-alpha\.yaml:\d+:14: apps\[1\]\.app\.image\.tag: 'latest' is not a version",
        run.output,
    )
    assert "Traceback" not in run.output
    assert checkout.state() == before


def test_moving_to_another_version_of_external_secrets_updates_in_place(
    checkout: Checkout,
) -> None:
    checkout.edit(
        "Pulumi.dev.yaml",
        "  sre-platform:harbor:",
        "  sre-platform:externalSecrets: {apiVersion: v1beta1}\n  sre-platform:harbor:",
    )
    run = checkout.up()
    assert "ExternalSecret team-alpha/harbor-pull" in run.steps("updated")
    assert "ClusterSecretStore openbao-backend" in run.steps("updated")
    assert not run.steps("created") | run.steps("deleted") | run.steps("replaced")


def test_the_robots_secrets_are_in_the_state_only_encrypted(checkout: Checkout) -> None:
    robots = [r for r in checkout.resources() if r["type"].endswith(":RobotAccount")]
    stored = [r for r in checkout.resources() if r["type"].endswith(":SecretV2")]
    assert len(robots) == len(stored) == 4
    for robot in robots:
        assert set(robot["outputs"]["secret"]) >= {"ciphertext"}
    for secret in stored:
        assert set(secret["inputs"]["dataJson"]) >= {"ciphertext"}
        assert set(secret["outputs"]["dataJson"]) >= {"ciphertext"}
    provider = next(r for r in checkout.resources() if r["type"] == "pulumi:providers:harbor")
    assert set(provider["inputs"]["password"]) >= {"ciphertext"}


def test_down_where_nothing_ever_was_says_so(fresh: Checkout) -> None:
    assert "nothing to remove" in fresh.run("down").output


def test_down_takes_everything_away_and_says_so(checkout: Checkout) -> None:
    down = checkout.run("down")
    assert down.code == 0, down.output
    assert checkout.names() == set()
    assert "nothing to remove" in checkout.run("down").output


def test_two_checkouts_run_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    checkouts = [Checkout(tmp_path_factory.mktemp("pair") / "checkout") for _ in range(2)]
    runs = [checkout.start("up") for checkout in checkouts]
    outputs = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert checkouts[0].names() == checkouts[1].names()
