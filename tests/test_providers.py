"""The providers: explicit, verified, without a credential in the state, one a managed target."""

import pulumi
import pytest
import yaml

from components.providers import providers
from dryrun.recording import SECRET
from specs.settings import PREFIX, Settings
from tests.conftest import Program
from tests.program import TENANT, Made, one_of_each, plain_strings, team_file
from tests.written import ROOT

KUBERNETES, HARBOR, OPENBAO = (
    "pulumi:providers:kubernetes",
    "pulumi:providers:harbor",
    "pulumi:providers:vault",
)
VERIFY_NOTHING = {"HARBOR_IGNORE_CERT": "true", "VAULT_SKIP_VERIFY": "true"}


def test_harbor_s_certificate_is_verified_whatever_the_environment_says(program: Program) -> None:
    for environment in ({}, VERIFY_NOTHING):
        made = program(team_file(), environment=environment)
        assert made.one(HARBOR, "harbor").inputs["insecure"] == "false"


def test_openbao_s_certificate_is_verified_whatever_the_environment_says(program: Program) -> None:
    for environment in ({}, VERIFY_NOTHING):
        made = program(team_file(), environment=environment)
        assert made.one(OPENBAO, "openbao").inputs["skipTlsVerify"] == "false"


def test_the_stack_can_do_without_verification(program: Program) -> None:
    made = program(team_file(), harbor={"insecure": True}, openbao={"skipTlsVerify": True})
    assert made.one(HARBOR, "harbor").inputs["insecure"] == "true"
    assert made.one(OPENBAO, "openbao").inputs["skipTlsVerify"] == "true"


def test_the_cluster_has_a_fixed_identity_and_applies_on_the_server(program: Program) -> None:
    kubernetes = {"clusterIdentifier": "sre-production", "context": "admin@sre"}
    provider = program(team_file(), kubernetes=kubernetes).one(KUBERNETES, "kubernetes")
    assert provider.inputs["clusterIdentifier"] == "sre-production"
    assert provider.inputs["context"] == "admin@sre"
    assert provider.inputs["enableServerSideApply"] == "true"


def test_what_a_file_declares_is_taken_from_other_field_managers(program: Program) -> None:
    provider = program(team_file()).one(KUBERNETES, "kubernetes")
    assert provider.inputs["enablePatchForce"] == "true"


def test_the_child_token_of_openbao_lasts_as_long_as_a_deploy_may_take(program: Program) -> None:
    deploy = yaml.safe_load((ROOT / ".github/workflows/stack.yaml").read_text(encoding="utf-8"))
    longest = 60 * deploy["jobs"]["pulumi"]["timeout-minutes"]
    provider = program(team_file(), environment={"TERRAFORM_VAULT_MAX_TTL": "60"}).one(
        OPENBAO, "openbao"
    )
    assert int(provider.inputs["maxLeaseTtlSeconds"]) >= longest


def test_the_stack_s_addresses_are_used(program: Program) -> None:
    made = program(
        team_file(),
        harbor={"url": "https://harbor.example.com"},
        openbao={"address": "https://bao.example.com:8200", "skipChildToken": True},
    )
    assert made.one(HARBOR, "harbor").inputs["url"] == "https://harbor.example.com"
    openbao = made.one(OPENBAO, "openbao").inputs
    assert openbao["address"] == "https://bao.example.com:8200"
    assert openbao["skipChildToken"] == "true"


def test_addresses_that_the_stack_leaves_out_come_from_the_environment(program: Program) -> None:
    made = program(team_file())
    assert made.one(HARBOR, "harbor").inputs["url"] == "https://harbor.invalid"
    assert made.one(OPENBAO, "openbao").inputs["address"] == "https://openbao.invalid"


def test_harbor_s_password_is_a_secret_on_its_way_to_the_engine(program: Program) -> None:
    provider = program(team_file()).one(HARBOR, "harbor")
    assert provider.unwrapped("password") == SECRET


def test_no_credential_of_the_environment_reaches_a_registration(program: Program) -> None:
    environment = {"HARBOR_PASSWORD": "hunter2-harbor", "VAULT_TOKEN": "hunter2-openbao"}
    made = program(one_of_each(), platform=True, environment=environment)
    for one in made.resources:
        assert "hunter2" not in str(one.wire), one


def test_no_secret_is_sent_in_plain_text(everything: Made) -> None:
    # Passwords and robots' secrets read [secret] in a run without servers.
    for one in everything.resources:
        assert not any(SECRET in text for text in plain_strings(one.wire)), one
    assert SECRET not in str(everything.outputs)


def test_a_robot_s_secret_is_kept_as_a_secret(everything: Made) -> None:
    robots = [one for one in everything.resources if one.type.endswith(":RobotAccount")]
    assert len(robots) == 2 * len(everything.names(TENANT))
    for robot in robots:
        assert "secret" in robot.secret_outputs


def test_every_resource_has_the_explicit_provider_of_its_package(everything: Made) -> None:
    names = {
        "kubernetes": f"{KUBERNETES} kubernetes",
        "harbor": f"{HARBOR} harbor",
        "vault": f"{OPENBAO} openbao",
    }
    for one in everything.of_package(*names):
        assert one.provider == names[one.package], one


@pytest.mark.parametrize(
    ("target", "package", "provider"),
    [
        ("kubernetes", "kubernetes", KUBERNETES),
        ("harbor", "harbor", HARBOR),
        ("openbao", "vault", OPENBAO),
    ],
)
def test_a_target_that_the_stack_does_not_manage_is_not_touched(
    program: Program, target: str, package: str, provider: str
) -> None:
    made = program(one_of_each(), platform=True, manage={target: False})
    assert package not in made.packages()
    assert provider not in {one.type for one in made.of_package("pulumi")}
    others = {"kubernetes", "harbor", "vault"} - {package}
    assert {one.package for one in made.of_package(*others)} == others


def test_a_cluster_alone_needs_no_other_address(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dryrun.recording._PLACEHOLDERS", {})
    made = program(team_file(team="team-alone"), manage={"harbor": False, "openbao": False})
    assert [one.type for one in made.of_package("pulumi")] == [KUBERNETES]


def test_an_environment_that_turns_tls_verification_off_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenBao's provider obeys VAULT_SKIP_VERIFY whatever its arguments say."""
    monkeypatch.setenv("VAULT_ADDR", "https://openbao.invalid")
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    config = {
        "teams": "*",
        "kubernetes": {"clusterIdentifier": "test"},
        "manage": {"kubernetes": False, "harbor": False},
    }
    settings = Settings.model_validate({PREFIX + key: value for key, value in config.items()})
    with pytest.raises(pulumi.RunError, match=r"^VAULT_SKIP_VERIFY turns off TLS verification; "):
        providers(settings)


def test_no_path_of_this_machine_reaches_the_state(program: Program) -> None:
    environment = {"KUBECONFIG": "/home/somebody/kubeconfig"}
    provider = program(one_of_each(), environment=environment).one(KUBERNETES, "kubernetes")
    assert provider.inputs["kubeconfig"] == ""
