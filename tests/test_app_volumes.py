"""Volumes of an app: what a file may say, the claims, and the pods that mount them."""

from pathlib import Path

import pytest

from specs.capacity import RESOURCES, capacity
from tests.conftest import Program
from tests.program import (
    CLAIM,
    CRON_JOB,
    DEPLOYMENT,
    QUOTA,
    cronjob,
    merged,
    team_file,
    web_app,
    worker,
)
from tests.written import accepted, app, entry, place, reported, rows, settings, team

DATA = "{name: data, path: /data, size: 5Gi}"
SHARED = "{name: data, path: /data, size: 5Gi, accessMode: ReadWriteMany}"
ALONE = "autoscaling: {enabled: false}\npodDisruptionBudget: {enabled: false}"


def one_pod(volumes: str, in_app: str = "") -> str:
    return app(f"replicas: 1\nvolumes: [{volumes}]\n{in_app}", ALONE)


def alone(volume: str = DATA, keys: str = "") -> str:
    """A web-app that runs as one pod and has a volume."""
    return web_app(f"{{app: {{replicas: 1, volumes: [{volume}]{keys}}}, {_ALONE}}}")


_ALONE = "autoscaling: {enabled: false}, podDisruptionBudget: {enabled: false}"


@rows(
    {
        "two of a name": (
            one_pod(f"{DATA}, {{name: «data, path: /more, size: 1Gi}}"),
            "apps[0].app.volumes[1].name: 'data' is listed twice; rename one",
        ),
        "two of a path": (
            one_pod(f"{DATA}, {{name: more, path: «/data, size: 1Gi}}"),
            "apps[0].app.volumes[1].path: '/data' is already mounted (volume 'data'); remove one",
        ),
        "a writable path": (
            one_pod("{name: data, path: «/tmp, size: 1Gi}", "writablePaths: [{path: /tmp}]"),
            "apps[0].app.volumes[0].path: '/tmp' is already mounted (writablePaths); remove one",
        ),
        "the root": (
            one_pod("{name: data, path: «/, size: 1Gi}"),
            "apps[0].app.volumes[0].path: '/' stays read-only; write a path below it such as /tmp",
        ),
        "a size without its unit": (
            one_pod("{name: data, path: /data, size: «10}"),
            "apps[0].app.volumes[0].size: 10 is 10 bytes; write 10Gi",
        ),
        "a size of nothing": (
            one_pod("{name: data, path: /data, size: «0Gi}"),
            "apps[0].app.volumes[0].size: '0Gi' is not above zero; write a size such as 10Gi",
        ),
        "a name too long for a pod": (
            one_pod(f"{{name: «{'a' * 57}, path: /data, size: 1Gi}}"),
            f"apps[0].app.volumes[0].name: '{'a' * 40}'... has 57 characters; use 56 at most",
        ),
        "Kubernetes' own word for a class": (
            one_pod("{name: data, path: /data, size: 1Gi, «storageClassName: fast}"),
            "apps[0].app.volumes[0].storageClassName: is not supported here; use `storageClass`",
        ),
        "a web-app that scales, as by default": (
            app(f"volumes: [«{DATA}]"),
            "apps[0].app.volumes[0].accessMode: ReadWriteOnce allows one pod at a time; set "
            "autoscaling.enabled to false, app.replicas to 1 and podDisruptionBudget.enabled to "
            "false, or write ReadWriteMany if the storage class has it",
        ),
        "a worker of two pods": (
            app(
                "volumes: [{name: a, path: /a, size: 1Gi, accessMode: «ReadWriteOncePod}]",
                "podDisruptionBudget: {enabled: false}",
                archetype="worker",
            ),
            "apps[0].app.volumes[0].accessMode: ReadWriteOncePod allows one pod at a time; set "
            "app.replicas to 1, or write ReadWriteMany if the storage class has it",
        ),
        "a budget that would block drains": (
            app(f"replicas: 1\nvolumes: [«{DATA}]", archetype="worker"),
            "apps[0].app.volumes[0].accessMode: ReadWriteOnce allows one pod at a time; set "
            "podDisruptionBudget.enabled to false, or write ReadWriteMany if the storage class "
            "has it",
        ),
        "a rolling update": (
            app(f"replicas: 1\nvolumes: [«{DATA}]", f"{ALONE}\nstrategy: {{maxSurge: 0}}"),
            "apps[0].app.volumes[0].accessMode: ReadWriteOnce allows one pod at a time; set "
            "strategy.type to Recreate, or write ReadWriteMany if the storage class has it",
        ),
        "runs that overlap": (
            app(
                f"volumes: [«{DATA}]",
                "schedule: {cron: '0 2 * * *', concurrencyPolicy: Allow}",
                archetype="cronjob",
            ),
            "apps[0].app.volumes[0].accessMode: ReadWriteOnce allows one pod at a time; set "
            "schedule.concurrencyPolicy to Forbid, or write ReadWriteMany if the storage class "
            "has it",
        ),
    }
)
def test_volumes_that_cannot_work_are_refused(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


@pytest.mark.parametrize(
    "text",
    [
        one_pod(DATA),
        app(f"volumes: [{SHARED}]"),
        app(
            f"volumes: [{DATA}]",
            "autoscaling: {minReplicas: 1, maxReplicas: 1}\npodDisruptionBudget: {minAvailable: 0}",
        ),
        app(f"volumes: [{DATA}]", archetype="cronjob"),
        app(f"replicas: 0\nvolumes: [{DATA}]", "podDisruptionBudget: {enabled: false}",
            archetype="worker"),
        # Within another: each is mounted over its part.
        one_pod(DATA, "writablePaths: [{path: /data/cache}]"),
    ],
)  # fmt: skip
def test_volumes_that_fit_their_pods_are_accepted(tmp_path: Path, text: str) -> None:
    accepted(tmp_path, text)


def test_two_apps_may_not_claim_the_same_name(tmp_path: Path) -> None:
    text, where = place(
        team("apps:\n")
        + entry(f"volumes: [{SHARED}]", name="shop-web")
        + entry(
            "volumes: [{name: web-data, path: /data, size: 5Gi, accessMode: ReadWriteMany}]",
            name="«shop",
            archetype="worker",
        )
    )
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[1].app.name: its PersistentVolumeClaim "
        "'shop-web-data' is already created by app 'shop-web'; rename one"
    ]


def test_the_claim_has_the_names_and_figures_of_the_file(program: Program) -> None:
    volume = "{name: data, path: /data, size: 5.5Gi, storageClass: fast, onRemoval: delete}"
    claim = program(alone(volume)).one(CLAIM, "team-alpha/my-api-data")
    assert claim.metadata["name"] == "my-api-data"
    assert claim.metadata["namespace"] == "team-alpha"
    assert claim.labels["app.kubernetes.io/instance"] == "my-api"
    assert claim.spec == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "5632Mi"}},
    }
    assert claim.metadata["annotations"]["sre.io/on-removal"] == "delete"
    default = program(alone()).one(CLAIM, "team-alpha/my-api-data")
    assert "storageClassName" not in default.spec
    assert default.metadata["annotations"]["sre.io/on-removal"] == "keep"


def test_nothing_waits_for_a_claim_that_waits_for_its_pods(program: Program) -> None:
    claim = program(alone()).one(CLAIM, "team-alpha/my-api-data")
    assert claim.metadata["annotations"]["pulumi.com/skipAwait"] == "true"


def test_pods_come_after_their_claims_and_claims_after_the_quota(program: Program) -> None:
    made = program(alone())
    claim = made.one(CLAIM, "team-alpha/my-api-data")
    assert str(claim) in made.one(DEPLOYMENT, "team-alpha/my-api").depends_on
    assert str(made.one(QUOTA, "team-alpha/team-alpha-quota")) in claim.depends_on


def test_a_claim_is_protected_unless_it_may_be_deleted(program: Program) -> None:
    deletable = "{name: data, path: /data, size: 5Gi, onRemoval: delete}"
    assert program(alone()).one(CLAIM, "team-alpha/my-api-data").protect
    assert not program(alone(deletable)).one(CLAIM, "team-alpha/my-api-data").protect


def test_a_change_that_would_replace_a_claim_does_not_reach_the_provider(program: Program) -> None:
    request = program(alone()).one(CLAIM, "team-alpha/my-api-data").registration.request
    assert set(request.ignoreChanges) == {"spec.accessModes", "spec.storageClassName"}


def test_the_pod_mounts_the_claim_and_its_process_may_write_there(program: Program) -> None:
    running = program(alone(keys=", writablePaths: [{path: /tmp}]"))
    pod = running.one(DEPLOYMENT, "team-alpha/my-api").pod
    assert pod["volumes"] == [
        {"name": "writable-0", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "volume-data", "persistentVolumeClaim": {"claimName": "my-api-data"}},
    ]
    assert pod["containers"][0]["volumeMounts"] == [
        {"name": "writable-0", "mountPath": "/tmp"},
        {"name": "volume-data", "mountPath": "/data"},
    ]
    security = pod["securityContext"]
    assert security["fsGroup"] > 0
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"
    without = program(web_app()).one(DEPLOYMENT, "team-alpha/my-api").pod["securityContext"]
    assert without.keys() == {"runAsNonRoot", "seccompProfile"}


@pytest.mark.parametrize(
    ("run_as", "group"),
    [("{user: 10001}", 65532), ("{group: 10002}", 10002), ("{group: 10002, fsGroup: 3}", 3)],
)
def test_the_files_belong_to_the_group_that_the_app_names(
    program: Program, run_as: str, group: int
) -> None:
    made = program(alone(keys=f", runAs: {run_as}"))
    assert made.one(DEPLOYMENT, "team-alpha/my-api").pod["securityContext"]["fsGroup"] == group


def test_one_pod_ends_before_the_next_starts(program: Program) -> None:
    made = program(alone())
    assert made.one(DEPLOYMENT, "team-alpha/my-api").spec["strategy"] == {"type": "Recreate"}
    shared = program(web_app(f"app: {{volumes: [{SHARED}]}}"))
    strategy = shared.one(DEPLOYMENT, "team-alpha/my-api").spec["strategy"]
    assert strategy["type"] == "RollingUpdate"


def test_workers_and_cronjobs_mount_volumes_too(program: Program) -> None:
    made = program(
        merged(
            worker(f"{{app: {{volumes: [{SHARED}]}}}}"), cronjob(f"{{app: {{volumes: [{DATA}]}}}}")
        )
    )
    for kind, name in ((DEPLOYMENT, "consumer"), (CRON_JOB, "report")):
        (volume,) = made.one(kind, f"team-alpha/{name}").pod["volumes"]
        assert volume["persistentVolumeClaim"] == {"claimName": f"{name}-data"}


def test_volumes_count_against_the_quota(tmp_path: Path) -> None:
    volumes = f"{DATA}, {{name: more, path: /more, size: 512Mi}}"
    counted = capacity(accepted(tmp_path, one_pod(volumes)), settings())
    used = dict(zip(RESOURCES, counted.rest, strict=True))
    assert used["persistentvolumeclaims"] == 2
    assert used["requests.storage"] == (5 * 1024 + 512) * 2**20
    # The pod that ends makes room for the next.
    assert counted.rollout == counted.rest


@rows(
    {
        "of the largest": (
            team("quota: {requests: {storage: 6Gi}}\napps:\n")
            + entry(
                "volumes: [{name: a, path: /a, size: 1Gi}, {name: b, path: /b, size: «5.5Gi}]",
                archetype="cronjob",
            ),
            "apps[0].app.volumes[1].size: the team's volumes request 6656Mi, over "
            "quota.requests.storage 6Gi; raise quota.requests.storage to 6656Mi",
        ),
        "number": (
            team("quota: {persistentvolumeclaims: 1}\napps:\n")
            + entry(
                "volumes: «[{name: a, path: /a, size: 1Gi}, {name: b, path: /b, size: 2Gi}]",
                archetype="cronjob",
            ),
            "apps[0].app.volumes: the team's apps request 2 persistentvolumeclaims at rest, over "
            "quota.persistentvolumeclaims 1; raise quota.persistentvolumeclaims to 2",
        ),
    }
)
def test_volumes_beyond_the_quota_are_refused(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: {said}"]


def test_the_quota_limits_storage_only_if_the_file_says_so(program: Program) -> None:
    name = "team-alpha/team-alpha-quota"
    limited = program(team_file(keys="quota: {requests: {storage: 100Gi}}")).one(QUOTA, name)
    assert limited.spec["hard"]["requests.storage"] == "100Gi"
    assert "requests.storage" not in program(team_file()).one(QUOTA, name).spec["hard"]
