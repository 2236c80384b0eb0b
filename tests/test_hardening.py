"""Every pod the program can make is hardened as the guide's Troubleshooting section says."""

from typing import Any

from specs.exceptions import EXCEPTIONS_ANNOTATION
from tests.program import CLAIM, CRON_JOB, DEPLOYMENT, SERVICE_ACCOUNT, Made, Resource


def without_exceptions(everything: Made) -> list[Resource]:
    """Everything that makes pods, but for the few that have an exception."""
    excepted = [
        one
        for one in everything.with_pods()
        if EXCEPTIONS_ANNOTATION in one.metadata.get("annotations", {})
    ]
    assert {one.name for one in excepted} == {
        "alerts/cleanup",
        "alerts/importer",
        "exceptions/mailer",
        "exceptions/wiki",
    }
    return [one for one in everything.with_pods() if one not in excepted]


def test_every_pod_is_hardened(everything: Made) -> None:
    assert {one.type for one in everything.with_pods()} == {DEPLOYMENT, CRON_JOB}
    for one in without_exceptions(everything):
        context = dict(one.pod["securityContext"])
        ids = {each: context.pop(each, None) for each in ("runAsUser", "runAsGroup", "fsGroup")}
        assert 0 not in ids.values(), one
        has_volumes = any("persistentVolumeClaim" in each for each in volumes(one))
        if has_volumes:
            assert ids["fsGroup"], one
            assert context.pop("fsGroupChangePolicy") == "OnRootMismatch"
        assert context == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }, one
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert key not in one.pod, one


def test_every_container_is_hardened(everything: Made) -> None:
    steps = 0
    for one in without_exceptions(everything):
        for container in one.containers:
            steps += container is not one.container
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }, one
    assert steps, "no app has a step before it"


def test_no_pod_gets_a_token_of_the_kubernetes_api(everything: Made) -> None:
    for one in everything.with_pods():
        assert one.pod["automountServiceAccountToken"] is False, one
    for account in everything.all(SERVICE_ACCOUNT):
        assert account.inputs["automountServiceAccountToken"] is False, account


def test_every_container_has_requests_and_limits(everything: Made) -> None:
    for one in everything.with_pods():
        for container in one.containers:
            for kind in ("requests", "limits"):
                assert container["resources"][kind].keys() == {"cpu", "memory"}, one


def test_only_bounded_directories_own_claims_secrets_and_files_are_mounted(
    everything: Made,
) -> None:
    claims = {(one.metadata["namespace"], one.metadata["name"]) for one in everything.all(CLAIM)}
    for one in everything.with_pods():
        for volume in volumes(one):
            if claim := volume.get("persistentVolumeClaim"):
                assert claim.keys() == {"claimName"}
                assert (one.metadata["namespace"], claim["claimName"]) in claims
                continue
            if secret := volume.get("secret"):
                assert secret["defaultMode"] == 0o440
                continue
            if config_map := volume.get("configMap"):
                assert config_map == {"name": f"{one.metadata['name']}-files"}
                continue
            assert volume.keys() == {"name", "emptyDir"}, one
            assert volume["emptyDir"]["sizeLimit"], one


def volumes(one: Resource) -> list[dict[str, Any]]:
    return one.pod.get("volumes", [])
