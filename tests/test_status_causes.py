"""`./sre status`: causes beside a pod's own state, in the words of the servers that report them."""

from pathlib import Path
from typing import Any

import pytest

from clients.kubernetes import Object
from tests import written
from tests.cluster_objects import (
    APP,
    IMAGE,
    Looked,
    at,
    autoscaler,
    container,
    deployment,
    ended,
    event,
    external_secret,
    kinds,
    made,
    pod,
    replica_set,
    running,
    said,
    virtual_service,
    waiting,
)
from tools.status.report import AppReport

FILE = "tenants/team-alpha.yaml"
DEPLOYMENT = deployment()
REPLICA_SET = replica_set(DEPLOYMENT)


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    return Looked(tmp_path)


def complete() -> list[Object]:
    """An app's Deployment, ReplicaSet and pod, all of it as wanted."""
    of = deployment(ready=1)
    owner = replica_set(of)
    return [of, owner, running(owner)]


def key_of(report: AppReport) -> list[str]:
    """The key of each cause that has one."""
    return [placed.place.path for placed in report.causes if placed.place]


# What the API server answers to a ReplicaSet's pod.
FORBIDDEN = 'pods "my-api-5d4-" is forbidden: '
QUOTA = (
    f"{FORBIDDEN}exceeded quota: team-alpha-quota, requested: limits.cpu=500m,requests.memory=1Gi, "
    "used: limits.cpu=8,requests.memory=8Gi, limited: limits.cpu=8,requests.memory=8Gi"
)
KYVERNO = (
    'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource '
    "Pod/team-alpha/my-api-5d4 was blocked due to the following policies \n\n"
)
REFUSALS: dict[str, tuple[str, str, str]] = {
    "a quota": (QUOTA, "quota", "quota.limits.cpu"),
    "a quota of pods": (
        f"{FORBIDDEN}exceeded quota: team-alpha-quota, requested: pods=1, used: pods=20, "
        "limited: pods=20",
        "quota",
        "quota.pods",
    ),
    "the LimitRange's most": (
        f"{FORBIDDEN}maximum cpu usage per Container is 2, but limit is 3",
        "limit-range",
        "apps[0].app.resources.limits.cpu",
    ),
    "the LimitRange's least": (
        f"{FORBIDDEN}[minimum cpu usage per Container is 50m, but request is 10m, "
        "minimum memory usage per Container is 64Mi, but request is 32Mi]",
        "limit-range",
        "apps[0].app.resources.requests.cpu",
    ),
    "Pod Security": (
        f'{FORBIDDEN}violates PodSecurity "restricted:latest": unrestricted capabilities '
        '(container "my-api" must set securityContext.capabilities.drop=["ALL"])',
        "pod-security",
        "apps[0].exceptions",
    ),
    "a guardrail": (
        f"{FORBIDDEN}ValidatingAdmissionPolicy 'sre-images' with binding 'sre-images' denied "
        "request: images must come from harbor.sre.internal/<team>/; push it there and set "
        "apps[].app.image.repository in the team's file",
        "policy",
        "apps[0].app.image.repository",
    ),
    "Kyverno on a tag": (
        f"{KYVERNO}disallow-latest-tag:\n  require-tag: 'validation error: a tag is required'\n",
        "policy",
        "apps[0].app.image.tag",
    ),
    "Kyverno on a signature": (
        'admission webhook "mutate.kyverno.svc-fail" denied the request: \n\nresource Pod/x was '
        "blocked due to the following policies \n\nverify-signatures:\n  verify: 'failed to verify "
        "image harbor.sre.internal/team-alpha/my-api:v1.0.0: .attestors[0].entries[0].keys: no "
        "signatures found'\n",
        "image-unsigned",
        "apps[0].app.image.tag",
    ),
    "a silent webhook": (
        'Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": '
        'failed to call webhook: Post "https://istiod.istio-system.svc:443/inject": no endpoints '
        'available for service "istiod"',
        "webhook",
        "",
    ),
    "a missing account": (
        f"{FORBIDDEN}error looking up service account team-alpha/my-api: serviceaccount "
        '"my-api" not found',
        "service-account",
        "apps[0].serviceAccount",
    ),
    "something else": ("the server says no", "refused", ""),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("seen", ["event", "condition"])
def test_a_refused_pod_has_a_cause_with_or_without_events(
    looked: Looked, refusal: str, seen: str
) -> None:
    message, kind, key = REFUSALS[refusal]
    failing = {"type": "ReplicaFailure", "status": "True", "message": message}
    of = deployment(*([failing] if seen == "condition" else []))
    owner = replica_set(of)
    events = [event(owner, "FailedCreate", f"Error creating: {message}")]
    unread = {"events": "forbidden"} if seen == "condition" else {}
    app = looked.app(
        written.app(), of, owner, *(events if seen == "event" else []), unread=unread
    )  # fmt: skip
    assert app.status == "broken"
    assert kinds(app)[0] == kind
    assert key_of(app)[:1] == ([key] if key else [])


def test_a_refused_replica_set_has_a_cause_while_that_of_the_old_version_serves(
    looked: Looked,
) -> None:
    message, kind, key = REFUSALS["a guardrail"]
    failed = {
        "type": "Progressing",
        "status": "False",
        "reason": "ReplicaSetCreateError",
        "message": f'Failed to create new replica set "my-api-7f9": {message}',
    }
    of = deployment(failed, ready=1)
    owner = replica_set(of)
    owner["status"]["replicas"] = 1
    app = looked.app(written.app(), of, owner, running(owner))
    assert (app.status, kinds(app), key_of(app)) == ("broken", [kind], [key])


def test_a_quota_is_explained_with_its_figures(looked: Looked) -> None:
    refused = event(REPLICA_SET, "FailedCreate", QUOTA)
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, refused)
    assert (
        "limits.cpu: 500m more, 8 of 8 used; requests.memory: 1Gi more, 8Gi of 8Gi used"
        in (said(app)[0])
    )


def test_a_refusal_that_is_over_is_no_cause(looked: Looked) -> None:
    of = deployment(ready=1)
    owner = replica_set(of)
    owner["status"]["replicas"] = 1
    refused = event(owner, "FailedCreate", QUOTA)
    app = looked.app(written.app(), of, owner, running(owner), refused)
    assert said(app) == []


def test_an_old_event_does_not_count(looked: Looked) -> None:
    refused = event(REPLICA_SET, "FailedCreate", QUOTA, minutes_ago=90)
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, refused, hours=1)
    assert (app.status, kinds(app)) == ("rolling out", [])


def test_a_policy_that_only_audits_is_a_warning(looked: Looked) -> None:
    of, owner, ready = complete()
    audited = event(of, "PolicyViolation", "policy labels/check fail: a label is missing")
    app = looked.app(written.app(), of, owner, ready, audited)
    assert (app.status, kinds(app)) == ("running as wanted", ["policy-violation"])


WITH_SECRET = written.app("env: [{name: DB, secretRef: db}]")
DB = "apps[0].app.env[0].secretRef"
AT = "error processing spec.data[0] (key: sre/team-alpha/db), err: "
NOT_SYNCED: dict[str, tuple[str, str, str, str]] = {
    "not stored": (f"{AT}Secret does not exist", "secret-not-stored", DB, "sre/team-alpha/db"),
    "no such key": (
        f'{AT}cannot find secret data for key: "value"',
        "secret-key",
        DB,
        "has no key `value`",
    ),
    "denied": (f"{AT}Code: 403. * permission denied", "secret-denied", "", "may not read"),
    "store": (
        'could not get provider client: ClusterSecretStore "openbao-backend" is not ready',
        "secret-store",
        "",
        "ClusterSecretStore openbao-backend",
    ),
    "else": ("could not get secret data from provider", "secret-not-synced", DB, "cannot fetch"),
}


@pytest.mark.parametrize("why", NOT_SYNCED)
def test_a_secret_that_does_not_arrive_names_store_path_and_who_stores_it(
    looked: Looked, why: str
) -> None:
    message, kind, key, words = NOT_SYNCED[why]
    failing = external_secret("db", message)
    app = looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, failing)
    assert (app.status, kinds(app)) == ("broken", [kind])
    assert key_of(app) == ([key] if key else [])
    assert words in said(app)[0]
    assert "openbao-backend" in said(app)[0]


@pytest.mark.parametrize(
    ("access", "who"), [("read", "the platform team"), ("write", "one of the team's developers")]
)
def test_who_has_to_store_a_secret_is_said_with_the_command(
    looked: Looked, access: str, who: str
) -> None:
    failing = external_secret("db", f"{AT}Secret does not exist")
    openbao = {"developerAccess": access}
    app = looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, failing, openbao=openbao)
    assert said(app)[0].endswith(f"; have {who} store it (`./sre secret set team-alpha db`)")


def test_events_say_why_where_the_operator_s_condition_does_not(looked: Looked) -> None:
    failing = external_secret("db", "could not get secret data from provider")
    why = event(failing, "UpdateFailed", f"{AT}Secret does not exist")
    assert kinds(looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, failing, why)) == [
        "secret-not-stored"
    ]


def test_a_secret_that_arrived_before_does_not_break_the_app(looked: Looked) -> None:
    failing = external_secret("db", f"{AT}Secret does not exist", refreshTime=at(90))
    app = looked.app(WITH_SECRET, *complete(), failing)
    assert (app.status, kinds(app)) == ("running as wanted", ["secret-not-stored"])


def test_an_operator_that_does_not_run_is_named(looked: Looked) -> None:
    unseen = external_secret("db")
    unseen["status"] = {}
    app = looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, unseen)
    assert "External Secrets Operator does not run" in said(app)[0]


def test_an_operator_is_given_time_to_look_at_a_new_secret(looked: Looked) -> None:
    unseen = external_secret("db")
    unseen["status"], unseen["metadata"]["creationTimestamp"] = {}, at(0.1)
    app = looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, unseen)
    assert (app.status, kinds(app)) == ("rolling out", [])


@pytest.mark.parametrize(
    ("message", "status"), [("", "rolling out"), ("could not get secret data", "broken")]
)
def test_a_pod_waits_for_a_secret_that_has_arrived_since(
    looked: Looked, message: str, status: str
) -> None:
    own = waiting("CreateContainerConfigError", 'secret "db" not found')
    objects = [pod(REPLICA_SET, own=own), external_secret("db", message)]
    app = looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, *objects)
    assert (app.status, kinds(app)) == (
        status,
        ["secret-not-synced" if message else "secret-missing"],
    )


def test_a_secret_that_nothing_brings_is_named_where_the_app_reads_it(looked: Looked) -> None:
    own = waiting("CreateContainerConfigError", 'secret "db" not found')
    unread = {"externalsecrets": "forbidden"}
    app = looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, pod(REPLICA_SET, own=own), unread=unread,
                     without=["ExternalSecret"])  # fmt: skip
    assert (kinds(app), key_of(app)) == (["secret-missing"], [DB])


def test_a_key_that_the_secret_lacks_is_mended_where_it_is_named(looked: Looked) -> None:
    text = written.app("env: [{name: DB, secretRef: db, key: password}]")
    own = waiting(
        "CreateContainerConfigError", "couldn't find key password in Secret team-alpha/db"
    )
    app = looked.app(text, DEPLOYMENT, REPLICA_SET, pod(REPLICA_SET, own=own))
    assert (kinds(app), key_of(app)) == (["secret-key"], ["apps[0].app.env[0].key"])


def test_a_secret_file_that_is_not_there_is_found_in_events(looked: Looked) -> None:
    text = written.app("secretFiles: [{path: /etc/tls, secretRef: tls, keys: [a.crt, a.key]}]")
    stuck = pod(REPLICA_SET, phase="Pending")
    message = (
        'MountVolume.SetUp failed for volume "secret-tls" : references non-existent secret '
        "key: a.key"
    )
    app = looked.app(text, DEPLOYMENT, REPLICA_SET, stuck, event(stuck, "FailedMount", message))
    assert key_of(app) == ["apps[0].app.secretFiles[0].keys[1]"]
    assert "the Secret tls has no key `a.key`" in said(app)[0]


@pytest.mark.parametrize(
    ("message", "kind", "key"),
    [
        ("container has runAsNonRoot and image will run as root (pod: ...)", "runs-as-root",
         "apps[0].app.runAs.user"),
        ("container has runAsNonRoot and image has non-numeric user (app), cannot verify user is "
         "non-root", "runs-as-root", "apps[0].app.runAs.user"),
        ('configmap "my-api-files" not found', "config-map", "apps[0].app.files"),
        ("something else", "not-created", ""),
    ],
)  # fmt: skip
def test_a_container_that_cannot_be_created_has_a_cause(
    looked: Looked, message: str, kind: str, key: str
) -> None:
    broken = pod(REPLICA_SET, own=waiting("CreateContainerConfigError", message))
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)
    assert (kinds(app), key_of(app)) == ([kind], [key] if key else [])


def test_a_pod_that_wrote_too_much_is_mended_at_its_paths(looked: Looked) -> None:
    evicted = pod(
        REPLICA_SET,
        phase="Failed",
        reason="Evicted",
        message='Usage of EmptyDir volume "writable-0" exceeds the limit "64Mi". ',
    )
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, evicted)
    assert (kinds(app), key_of(app)) == (["evicted"], ["apps[0].app.writablePaths"])
    assert "more than 64Mi" in said(app)[0]


LIVENESS = {
    "httpGet": {"path": "/healthz", "port": "http"},
    "initialDelaySeconds": 10,
    "periodSeconds": 5,
}


def probed(**probes: Any) -> Object:
    ports = [{"name": "http", "containerPort": 8080}]
    return container(ports=ports, **{f"{name}Probe": probe for name, probe in probes.items()})


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("HTTP probe failed with statuscode: 503", "answers 503"),
        ('Get "http://10.0.0.1:8080/healthz": dial tcp 10.0.0.1:8080: connect: connection refused',
         "finds nothing that listens there"),
        ('Get "http://10.0.0.1:8080/healthz": context deadline exceeded (Client.Timeout exceeded)',
         "gets no answer within 1s"),
    ],
)  # fmt: skip
def test_a_liveness_probe_that_kills_a_starting_app_has_its_figures(
    looked: Looked, message: str, words: str
) -> None:
    broken = pod(REPLICA_SET, own=ended(137), containers=[probed(liveness=LIVENESS)])
    events = [
        event(broken, "Unhealthy", f"Liveness probe failed: {message}"),
        event(broken, "Killing", "Container my-api failed liveness probe, will be restarted"),
    ]
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, *events)
    assert said(app) == [
        f"{FILE}:5:7: apps[0].app.probes.liveness: the liveness probe ends the app, restarted 3 "
        f"times: GET /healthz on port 8080 {words}, and it has 20s (initialDelaySeconds 10, "
        "failureThreshold 3, periodSeconds 5) from its start to the last check; if the app needs "
        "longer to start, add probes.startup; otherwise correct the check"
    ]


def test_a_probe_that_ended_an_earlier_run_does_not_hide_a_crash(looked: Looked) -> None:
    own = ended(1, startedAt=at(5))
    broken = pod(REPLICA_SET, own=own, containers=[probed(liveness=LIVENESS)])
    killed = event(
        broken, "Killing", "Container my-api failed liveness probe, will be restarted", 30
    )
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, killed)
    assert kinds(app) == ["crash"]


def test_a_probe_that_kills_again_counts_though_the_node_no_longer_reports_it(
    looked: Looked,
) -> None:
    own = ended(137, startedAt=at(5))
    broken = pod(REPLICA_SET, own=own, containers=[probed(liveness=LIVENESS)])
    killed = event(
        broken, "Killing", "Container my-api failed liveness probe, will be restarted", 30
    )
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, killed)
    assert kinds(app) == ["liveness-probe"]


def test_a_startup_probe_that_kills_needs_more_checks(looked: Looked) -> None:
    text = written.app("probes: {startup: {periodSeconds: 1, failureThreshold: 5}}")
    startup = {**LIVENESS, "initialDelaySeconds": 0, "failureThreshold": 5}
    broken = pod(REPLICA_SET, own=ended(137), containers=[probed(startup=startup)])
    killed = event(broken, "Killing", "Container my-api failed startup probe, will be restarted")
    app = looked.app(text, DEPLOYMENT, REPLICA_SET, broken, killed)
    assert key_of(app) == ["apps[0].app.probes.startup.failureThreshold"]


def unready(minutes: float, message: str = "") -> list[Object]:
    own = {"ready": False, "started": True, "state": {"running": {"startedAt": at(minutes)}}}
    one = pod(
        REPLICA_SET,
        phase="Running",
        own=own,
        containers=[probed(readiness={"exec": {"command": ["check"]}, "periodSeconds": 5})],
    )
    return [one, *([event(one, "Unhealthy", message)] if message else [])]


def test_a_readiness_probe_that_fails_for_long_breaks_the_app(looked: Looked) -> None:
    message = "Readiness probe failed: hunter2 is wrong"
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, *unready(5, message))
    assert (app.status, kinds(app)) == ("broken", ["readiness-probe"])
    assert "hunter2" not in said(app)[0]


def test_an_app_that_has_just_started_is_given_time(looked: Looked) -> None:
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, *unready(0.1))
    assert (app.status, kinds(app)) == ("rolling out", [])


@pytest.mark.parametrize(("unready_for", "status"), [(1.5, "rolling out"), (0.5, "broken")])
def test_an_app_that_is_slow_to_start_may_be_so_but_not_one_that_was_ready(
    looked: Looked, unready_for: float, status: str
) -> None:
    (one,) = unready(1.2)
    one["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "lastTransitionTime": at(unready_for)}
    ]
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, one)
    assert (app.status, kinds(app)) == (status, ["readiness-probe"])


def with_sidecar(owner: Object, number: int = 0, *, ready: bool = True, app: str = APP) -> Object:
    proxy = container("istio-proxy", "registry.istio.io/release/proxyv2:1.31.0")
    one = running(owner, number, app=app)
    one["spec"]["initContainers"] = [proxy]
    state = {"running": {"startedAt": at(5)}}
    one["status"]["initContainerStatuses"] = [
        {"name": "istio-proxy", "ready": ready, "restartCount": 0, "state": state}
    ]
    return one


def test_a_sidecar_without_configuration_is_named(looked: Looked) -> None:
    broken = with_sidecar(REPLICA_SET, ready=False)
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken)
    assert kinds(app) == ["sidecar-configuration"]
    assert "istiod in istio-system" in said(app)[0]


def test_a_sidecar_that_has_just_started_is_given_time(looked: Looked) -> None:
    broken = with_sidecar(REPLICA_SET, ready=False)
    (proxy,) = broken["status"]["initContainerStatuses"]
    proxy["state"]["running"]["startedAt"] = at(0.1)
    refused = "Startup probe failed: Get http://10.0.0.1:15021/healthz/ready: connection refused"
    unhealthy = event(broken, "Unhealthy", refused)
    app = looked.app(written.app(), DEPLOYMENT, REPLICA_SET, broken, unhealthy)
    assert (app.status, kinds(app)) == ("rolling out", [])


def test_pods_without_a_sidecar_stand_out_beside_others(looked: Looked) -> None:
    of = deployment(replicas=2, ready=2)
    owner = replica_set(of)
    app = looked.app(written.app(), of, owner, running(owner), with_sidecar(owner, 1))
    assert (app.status, kinds(app)) == ("running as wanted", ["sidecar-missing"])


BLIND = {
    "status": "False",
    "reason": "FailedGetContainerResourceMetric",
    "message": "the HPA was unable to compute the replica count: failed to get cpu resource metric "
    "value: unable to fetch metrics from resource metrics API: the server could not find the "
    "requested resource",
}


@pytest.mark.parametrize(
    ("conditions", "kind", "key"),
    [
        ({"ScalingActive": BLIND}, "autoscaler-metrics", "apps[0].autoscaling"),
        ({"ScalingActive": BLIND | {"message": "missing request for cpu in container my-api"}},
         "autoscaler-metrics", "apps[0].app.resources.requests.cpu"),
        ({"ScalingLimited": {"status": "True", "reason": "TooManyReplicas"}},
         "autoscaler-limit", "apps[0].autoscaling.maxReplicas"),
    ],
)  # fmt: skip
def test_an_autoscaler_that_does_not_work_is_a_warning(
    looked: Looked, conditions: Any, kind: str, key: str
) -> None:
    app = looked.app(written.app(), *complete(), autoscaler(**conditions))
    assert (app.status, kinds(app), key_of(app)) == ("running as wanted", [kind], [key])


def test_new_pods_have_no_metrics_at_first(looked: Looked) -> None:
    young = autoscaler(ScalingActive=BLIND | {"lastTransitionTime": at(0.5)})
    assert said(looked.app(written.app(), *complete(), young)) == []


def test_an_autoscaler_that_is_not_there_differs_from_the_file(looked: Looked) -> None:
    app = looked.app(written.app(), *complete(), without=["HorizontalPodAutoscaler"])
    assert (app.status, kinds(app)) == ("differs from its file", ["autoscaler-missing"])


def budget(**status: Any) -> Object:
    return made("PodDisruptionBudget", APP, {"minAvailable": 1}, status)


def test_a_budget_that_lets_no_pod_go_is_a_warning(looked: Looked) -> None:
    blocking = budget(expectedPods=1, currentHealthy=1, desiredHealthy=1, disruptionsAllowed=0)
    app = looked.app(written.app(), *complete(), blocking)
    assert (kinds(app), key_of(app)) == (
        ["drain-blocked"],
        ["apps[0].podDisruptionBudget.minAvailable"],
    )
    free = budget(expectedPods=2, currentHealthy=2, desiredHealthy=1, disruptionsAllowed=1)
    assert said(looked.app(written.app(), *complete(), free)) == []


INGRESS = written.app(beside="ingress: {enabled: true, host: a.example.com}")


def gateway(*hosts: str, secret: str = "tls") -> Object:
    server = {"hosts": list(hosts), "tls": {"mode": "SIMPLE", "credentialName": secret}}
    return made("Gateway", "sre-gateway", {"servers": [server]})


@pytest.mark.parametrize(
    ("hosts", "certificates", "found"),
    [
        (["*"], {"istio-system/tls": True}, []),
        (["*.example.com"], {}, []),
        (["team-alpha/a.example.com"], {}, []),
        (["*.example.org"], {}, ["host-not-served"]),
        (["team-beta/*"], {}, ["host-not-served"]),
        (["*"], {"istio-system/tls": False}, ["certificate-missing"]),
    ],
)
def test_a_host_needs_a_gateway_s_server_and_its_certificate(
    looked: Looked, hosts: list[str], certificates: dict[str, bool], found: list[str]
) -> None:
    app = looked.app(INGRESS, *complete(), gateway(*hosts), certificates=certificates)
    assert kinds(app) == found
    assert key_of(app) == ["apps[0].ingress.host"] * len(found)


@pytest.mark.parametrize("routed", [None, "b.example.com"])
def test_a_host_that_is_not_routed_is_named(looked: Looked, routed: str | None) -> None:
    objects = [virtual_service(routed)] if routed else []
    app = looked.app(INGRESS, *complete(), *objects, gateway("*"), without=["VirtualService"])
    assert (app.status, kinds(app)) == ("differs from its file", ["not-routed"])
    assert "a.example.com is not routed" in said(app)[0]


def test_a_gateway_that_is_not_there_is_named(looked: Looked) -> None:
    other = gateway("*")
    other["metadata"]["name"] = "another"
    app = looked.app(INGRESS, *complete(), other)
    assert kinds(app) == ["gateway-missing"]


def test_another_image_than_the_file_s_differs(looked: Looked) -> None:
    text = written.app(image="{repository: harbor.sre.internal/team-alpha/my-api, tag: v1.1.0}")
    app = looked.app(text, *complete())
    assert (app.status, key_of(app)) == ("differs from its file", ["apps[0].app.image.tag"])
    assert "the cluster runs harbor.sre.internal/team-alpha/my-api:v1.0.0" in said(app)[0]


def test_a_digest_that_a_policy_added_does_not_differ(looked: Looked) -> None:
    of = deployment(ready=1, image=f"{IMAGE}@sha256:{'0' * 64}")
    owner = replica_set(of)
    assert said(looked.app(written.app(), of, owner, running(owner))) == []


def test_another_number_of_pods_than_the_file_s_differs(looked: Looked) -> None:
    text = written.app("replicas: 3", "autoscaling: {enabled: false}")
    app = looked.app(text, *complete())
    assert (app.status, key_of(app)) == ("differs from its file", ["apps[0].app.replicas"])


def test_a_suspended_team_runs_nothing(looked: Looked) -> None:
    text = written.app() + "lifecycle: suspended\n"
    of = deployment(replicas=0)
    assert looked.app(text, of, replica_set(of, replicas=0)).status == "suspended"


def test_what_would_break_a_suspended_app_is_a_warning(looked: Looked) -> None:
    text = WITH_SECRET + "lifecycle: suspended\n"
    of = deployment(replicas=0)
    failing = external_secret("db", f"{AT}Secret does not exist")
    app = looked.app(text, of, replica_set(of, replicas=0), failing)
    assert (app.status, kinds(app)) == ("suspended", ["secret-not-stored"])


def test_a_deployment_that_gave_up_without_a_known_cause_is_broken(looked: Looked) -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    of = deployment(late)
    app = looked.app(written.app(), of, replica_set(of), pod(replica_set(of), phase="Running"))
    assert (app.status, kinds(app)) == ("broken", ["overdue"])


def test_several_causes_of_different_kinds_are_all_reported(looked: Looked) -> None:
    failing = external_secret("db", f"{AT}Secret does not exist")
    refused = event(REPLICA_SET, "FailedCreate", QUOTA)
    broken = pod(REPLICA_SET, own=waiting("ImagePullBackOff", "manifest unknown"))
    app = looked.app(WITH_SECRET, DEPLOYMENT, REPLICA_SET, broken, failing, refused)
    assert kinds(app) == ["quota", "secret-not-stored", "image-missing"]
