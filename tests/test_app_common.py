"""What apps of all archetypes have in common."""

from typing import Any

import pytest

from tests.conftest import Program
from tests.program import (
    ARCHETYPES,
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    EXTERNAL_SECRET,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    Made,
    Resource,
    as_yaml,
    merged,
    one_of_each,
    read_yaml,
    web_app,
)

of_each_archetype = pytest.mark.parametrize("archetype", ARCHETYPES)


def _workload(made: Made, archetype: str) -> Resource:
    kind = CRON_JOB if archetype == "cronjob" else DEPLOYMENT
    return made.one(kind, f"team-alpha/{archetype}")


def _labels(app: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/instance": app,
        "app.kubernetes.io/managed-by": "pulumi",
        "app.kubernetes.io/part-of": "sre-platform",
        "sre.io/team": "team-alpha",
    }


@of_each_archetype
def test_everything_of_an_app_carries_its_labels_and_so_do_its_pods(
    program: Program, archetype: str
) -> None:
    alerts = "alerts: [{name: Down, expr: absent(up)}]"
    made = program(one_of_each(alerts))
    app = f"sre:platform:App team-alpha/{archetype}"
    objects = [one for one in made.resources if one.parent == app]
    assert len(objects) >= 4
    version = {"app.kubernetes.io/version": "v1.0.0"}
    for one in objects:
        own = version if one.type in (DEPLOYMENT, CRON_JOB) else {}
        if one.type == CONFIG_MAP:
            own = {"grafana_dashboard": "1"}
        assert one.labels == {**_labels(archetype), **own}, one
    pods = _workload(made, archetype).pod_template["metadata"]["labels"]
    assert pods == {**_labels(archetype), **version}


@of_each_archetype
def test_a_release_changes_one_object_and_no_output(program: Program, archetype: str) -> None:
    keys = """
    app: {env: [{name: DATABASE_URL, secretRef: db}]}
    serviceMonitor: {enabled: true}
    alerts: [{name: Down, expr: absent(up)}]
    """
    file = one_of_each(keys)
    repository = f"harbor.sre.internal/team-alpha/{archetype}"
    before, after = program(file), program(_released(file, repository, "v1.0.1"))
    assert _differing(before, after) == {str(_workload(before, archetype))}
    assert before.outputs == after.outputs


def _differing(before: Made, after: Made) -> set[str]:
    old, new = ({str(one): one.inputs for one in made.resources} for made in (before, after))
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _released(file: str, repository: str, tag: str) -> str:
    """The team's file with another version of the app whose image that is."""
    loaded = read_yaml(file)
    for entry in loaded["apps"]:
        if entry["app"]["image"]["repository"] == repository:
            entry["app"]["image"]["tag"] = tag
    return as_yaml(loaded)


@pytest.mark.parametrize(
    ("tag", "version"),
    [("v1.0.0", "v1.0.0"), ("_rc-1_", "rc-1"), ("1" * 80, "1" * 63), ("1" * 62 + "-2", "1" * 62)],
)
def test_the_version_label_is_the_tag_as_far_as_a_label_can_be(
    program: Program, tag: str, version: str
) -> None:
    image = f"{{repository: harbor.sre.internal/team-alpha/x, tag: '{tag}'}}"
    deployment = program(web_app(f"app: {{image: {image}}}")).with_pods()[0]
    assert deployment.labels["app.kubernetes.io/version"] == version
    assert deployment.container["image"] == f"harbor.sre.internal/team-alpha/x:{tag}"


@pytest.mark.parametrize("archetype", ["web-app", "worker"])
def test_a_deployment_selects_by_name_and_instance_only(program: Program, archetype: str) -> None:
    # The version changes with every release, and a Deployment's selector cannot.
    assert _workload(program(one_of_each()), archetype).spec["selector"] == {
        "matchLabels": {
            "app.kubernetes.io/name": archetype,
            "app.kubernetes.io/instance": archetype,
        }
    }


@of_each_archetype
def test_an_app_runs_one_container_of_its_name(program: Program, archetype: str) -> None:
    container = _workload(program(one_of_each()), archetype).container
    assert container["name"] == archetype
    assert container["image"] == f"harbor.sre.internal/team-alpha/{archetype}:v1.0.0"
    assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_pull_policy_can_be_set(program: Program) -> None:
    keys = (
        "app: {image: {repository: harbor.sre.internal/team-alpha/x, tag: v1, pullPolicy: Always}}"
    )
    made = program(one_of_each(keys))
    assert {one.container["imagePullPolicy"] for one in made.with_pods()} == {"Always"}


@of_each_archetype
def test_a_container_without_resources_gets_the_guide_s(program: Program, archetype: str) -> None:
    assert _workload(program(one_of_each()), archetype).container["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }


def test_a_value_of_the_container_s_own_leaves_the_other_defaults(program: Program) -> None:
    limits = "{defaultRequest: {cpu: 60m}, default: {memory: 300Mi}}"
    resources = "{requests: {memory: 64Mi}, limits: {cpu: 1}}"
    file = f"{one_of_each(f'app: {{resources: {resources}}}')}\nlimitRange: {limits}"
    for one in program(file).with_pods():
        assert one.container["resources"] == {
            "requests": {"cpu": "60m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "300Mi"},
        }, one


def test_variables_keep_their_order_and_their_values(program: Program) -> None:
    keys = """
    app:
      env:
        - {name: ZONE, value: ""}
        - {name: DATABASE_URL, secretRef: db-credentials}
        - {name: TOKEN_HEADER, value: X-Token, plain: true}
        - {name: CACHE_TTL, value: "300"}
    """
    for one in program(one_of_each(keys)).with_pods():
        assert one.container["env"] == [
            {"name": "ZONE", "value": ""},
            {
                "name": "DATABASE_URL",
                "valueFrom": {"secretKeyRef": {"name": "db-credentials", "key": "value"}},
            },
            {"name": "TOKEN_HEADER", "value": "X-Token"},
            {"name": "CACHE_TTL", "value": "300"},
        ], one


def test_command_and_arguments_are_the_image_s_own_unless_given(program: Program) -> None:
    for one in program(one_of_each()).with_pods():
        assert not {"command", "args"} & one.container.keys()
    keys = "app: {command: [/bin/run, now], args: ['--queue=orders', '']}"
    for one in program(one_of_each(keys)).with_pods():
        assert one.container["command"] == ["/bin/run", "now"]
        assert one.container["args"] == ["--queue=orders", ""]


def test_writable_paths_are_mounted_with_their_size(program: Program) -> None:
    keys = "app: {writablePaths: [{path: /tmp}, {path: /var/cache, sizeLimit: 1Gi}]}"
    for one in program(one_of_each(keys)).with_pods():
        mounts = {mount["mountPath"]: mount["name"] for mount in one.container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in one.pod["volumes"]}
        sizes = {path: volumes[name]["emptyDir"]["sizeLimit"] for path, name in mounts.items()}
        assert sizes == {"/tmp": "64Mi", "/var/cache": "1Gi"}, one


def test_nothing_is_writable_unless_asked_for(program: Program) -> None:
    for one in program(one_of_each()).with_pods():
        assert "volumes" not in one.pod
        assert "volumeMounts" not in one.container


@of_each_archetype
def test_an_app_runs_as_a_service_account_of_its_own(program: Program, archetype: str) -> None:
    made = program(one_of_each())
    account = made.one(SERVICE_ACCOUNT, f"team-alpha/{archetype}")
    assert account.metadata["name"] == archetype
    workload = _workload(made, archetype)
    assert workload.pod["serviceAccountName"] == archetype
    # Without the account a Deployment's first pods are refused.
    assert str(account) in workload.depends_on


def test_without_one_it_runs_as_the_namespace_s_default_and_still_pulls(program: Program) -> None:
    made = program(one_of_each("serviceAccount: {create: false}"))
    assert made.names(SERVICE_ACCOUNT) == []
    for one in made.with_pods():
        assert one.pod["serviceAccountName"] == "default"
        assert one.pod["imagePullSecrets"] == [{"name": "harbor-pull"}]


@of_each_archetype
def test_no_pod_starts_before_quota_limits_policies_and_secrets_exist(
    program: Program, archetype: str
) -> None:
    keys = "app: {env: [{name: DATABASE_URL, secretRef: db-credentials}]}"
    made = program(one_of_each(keys))
    guards = {
        "kubernetes:core/v1:Namespace team-alpha",
        "kubernetes:core/v1:ResourceQuota team-alpha/team-alpha-quota",
        "kubernetes:core/v1:LimitRange team-alpha/team-alpha-limits",
        f"{EXTERNAL_SECRET} team-alpha/db-credentials",
        f"{EXTERNAL_SECRET} team-alpha/harbor-pull",
        f"{NETWORK_POLICY} team-alpha/{archetype}",
        *(
            f"{NETWORK_POLICY} team-alpha/{name}"
            for name in (
                "default-deny-all",
                "allow-dns",
                "allow-monitoring",
                "allow-istio-gateway",
                "allow-same-namespace",
                "allow-https-egress",
                "allow-istio-control-plane",
            )
        ),
    }
    assert guards <= _workload(made, archetype).depends_on


def test_an_app_waits_for_its_own_secrets_only(program: Program) -> None:
    one, other = (f"app: {{env: [{{name: X, secretRef: of-{name}}}]}}" for name in ("one", "other"))
    made = program(merged(web_app(one, "one"), web_app(other, "other")))
    secrets = {
        name
        for name in made.one(DEPLOYMENT, "team-alpha/one").depends_on
        if EXTERNAL_SECRET in name
    }
    assert secrets == {
        f"{EXTERNAL_SECRET} team-alpha/harbor-pull",
        f"{EXTERNAL_SECRET} team-alpha/of-one",
    }


def test_alerts_become_a_rule_of_the_app_s_name(program: Program) -> None:
    keys = """
    alerts:
      - {name: Slow, expr: "latency > 1", for: 1h30m, severity: critical, summary: it is slow}
      - {name: Down, expr: absent(up)}
    """
    made = program(one_of_each(keys), monitoring={"defaultAlerts": False})
    assert made.names(PROMETHEUS_RULE) == sorted(f"team-alpha/{name}" for name in ARCHETYPES)
    rule = made.one(PROMETHEUS_RULE, "team-alpha/worker")
    assert rule.metadata["name"] == "worker"
    assert rule.spec == {
        "groups": [
            {
                "name": "team-alpha/worker",
                "rules": [
                    {
                        "alert": "Slow",
                        "expr": "latency > 1",
                        "for": "1h30m",
                        "labels": {
                            "severity": "critical",
                            "namespace": "team-alpha",
                            "team": "team-alpha",
                        },
                        "annotations": {"summary": "it is slow"},
                    },
                    {
                        "alert": "Down",
                        "expr": "absent(up)",
                        "for": "10m",
                        "labels": {
                            "severity": "warning",
                            "namespace": "team-alpha",
                            "team": "team-alpha",
                        },
                        "annotations": {"summary": "Down"},
                    },
                ],
            }
        ]
    }


def test_without_alerts_no_rule_is_created(program: Program) -> None:
    made = program(one_of_each(), monitoring={"defaultAlerts": False})
    assert made.names(PROMETHEUS_RULE) == []


def test_without_monitoring_nothing_is_scraped(program: Program) -> None:
    made = program(one_of_each("serviceMonitor: {enabled: false}"))
    assert made.names(SERVICE_MONITOR) == []
    assert made.names(SERVICE) == ["team-alpha/web-app"]


def test_no_update_waits_for_a_service_to_have_pods(program: Program) -> None:
    # An app of no replicas never has any.
    services = program(one_of_each("serviceMonitor: {enabled: true}")).all(SERVICE)
    assert len(services) == 3
    for service in services:
        assert service.metadata["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_apps_of_the_same_name_in_two_teams_do_not_collide(program: Program) -> None:
    beta = web_app().replace("team-alpha", "team-beta")
    made: dict[str, Any] = {
        one.name: one.metadata["namespace"] for one in program(web_app(), beta).all(DEPLOYMENT)
    }
    assert made == {"team-alpha/my-api": "team-alpha", "team-beta/my-api": "team-beta"}
