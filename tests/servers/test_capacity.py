"""A team's sums held against what a real API server counts, and lets start, to the unit.

There is no Istio here: a MutatingAdmissionPolicy puts its sidecar into pods, as Istio would.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from kubernetes.utils import parse_quantity

from clients.http import RefusedError
from clients.kubernetes import Cluster, Object
from sandbox.ready import missing
from specs.capacity import RESOURCES, UNLIMITED, Amounts, Bounds, Capacity, capacity, total
from specs.load import TeamFile, load_team
from specs.settings import Settings
from specs.stack_file import read_stack
from tests.checkouts import Checkout
from tests.servers.conftest import cluster_of, until

pytestmark = pytest.mark.servers

TEAM, FILE, STACK = "team-odd", "tenants/team-odd.yaml", "Pulumi.dev.yaml"
OF_PODS = RESOURCES[:5]
OF_APPS = RESOURCES[:6]  # they claim no volumes

# Quantities in all the forms that Kubernetes reads, few of them round.
ODD = """\
team: team-odd
limitRange:
  default: {cpu: 0.3, memory: 268435457}
  defaultRequest: {cpu: 7m, memory: 70000001}
  max: {cpu: "1e3", memory: 3G}
  min: {cpu: null}
apps:
  - archetype: web-app
    app:
      name: shop
      image: {repository: harbor.sre.internal/team-odd/shop, tag: v1.0.0}
      runAs: {user: 10001, group: 10001, fsGroup: 10001}
      preStop: {exec: {command: [/bin/drain]}}
      init: [{name: migrate, command: [/bin/migrate]}, {name: warm, args: [warm]}]
      resources:
        requests: {cpu: 0.1, memory: 123456789}
        limits: {cpu: "1e3", memory: "1e9"}
  - archetype: worker
    app:
      name: of-defaults
      image: {repository: harbor.sre.internal/team-odd/of-defaults, tag: v1.0.0}
      terminationGracePeriodSeconds: 10
      preStop: {sleepSeconds: 9}
      replicas: 5
  - archetype: worker
    app:
      name: without-metrics
      image: {repository: harbor.sre.internal/team-odd/without-metrics, tag: v2.0.0}
      replicas: 3
      resources:
        requests: {cpu: "1.5", memory: 0.25Gi}
        limits: {cpu: 1501m, memory: 400M}
    serviceMonitor: {enabled: false}
  - archetype: cronjob
    app:
      name: report
      image: {repository: harbor.sre.internal/team-odd/report, tag: v1.0.0}
      init: [{name: fetch, args: [fetch]}]
      resources:
        requests: {cpu: "+1.001", memory: 1999999999}
        limits: {cpu: 1100m, memory: 2G}
    schedule: {cron: 0 0 1 1 *}
    serviceMonitor: {enabled: true}
"""

ODD_SIDECAR = {
    "proxy": {
        "requests": {"cpu": 0.051, "memory": 67108865},
        "limits": {"cpu": "3e-1", "memory": "300M"},
    }
}

# Gives pods the sidecar that they ask for, by all four annotations or by none, and before their own
# steps. Istio's own amounts are those of its chart. Where only some annotations are there, it takes
# none of its own; here such a pod is refused.
INJECTOR = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: sidecar}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {istio-injection: enabled}}
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}
  reinvocationPolicy: Never
  variables:
    - name: asked
      expression: object.metadata.?annotations.orValue({})
    - name: any
      expression: variables.asked.exists(name, name.startsWith('sidecar.istio.io/proxy'))
    - name: requests
      expression: >-
        variables.any
        ? {'cpu': variables.asked['sidecar.istio.io/proxyCPU'],
           'memory': variables.asked['sidecar.istio.io/proxyMemory']}
        : {'cpu': '100m', 'memory': '128Mi'}
    - name: limits
      expression: >-
        variables.any
        ? {'cpu': variables.asked['sidecar.istio.io/proxyCPULimit'],
           'memory': variables.asked['sidecar.istio.io/proxyMemoryLimit']}
        : {'cpu': '2', 'memory': '1Gi'}
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: |
          (has(object.spec.initContainers)
            ? [] : [JSONPatch{op: 'add', path: '/spec/initContainers', value: []}])
          + [
            JSONPatch{op: 'add', path: '/spec/initContainers/0', value: Object.spec.initContainers{
              name: 'istio-proxy',
              image: 'docker.io/istio/proxyv2:1.31.0',
              restartPolicy: 'Always',
              resources: Object.spec.initContainers.resources{
                requests: variables.requests,
                limits: variables.limits
              },
              securityContext: Object.spec.initContainers.securityContext{
                allowPrivilegeEscalation: false,
                capabilities: Object.spec.initContainers.securityContext.capabilities{drop: ['ALL']}
              }
            }}
          ]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: sidecar}
spec: {policyName: sidecar}
---
apiVersion: v1
kind: Namespace
metadata: {name: probe, labels: {istio-injection: enabled}}
"""
PROBE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probe", "namespace": "probe"},
    "spec": {"containers": [{"name": "main", "image": "any"}]},
}


def inject(cluster: Cluster) -> None:
    """From now on pods get a sidecar."""
    for object in yaml.safe_load_all(INJECTOR):
        cluster.create(object)

    def injected() -> bool:
        with suppress(RefusedError):  # until the namespace has its ServiceAccount
            return "initContainers" in cluster.create(PROBE, dry_run=True)["spec"]
        return False

    until(injected)


def settings_of(checkout: Checkout) -> Settings:
    settings, problems = read_stack(checkout.folder, "dev")
    assert settings
    assert not problems
    return settings


def loaded(checkout: Checkout, file: Path) -> TeamFile:
    return load_team(file, file.name, settings_of(checkout))


def planned(checkout: Checkout, team: str = TEAM) -> Capacity:
    found = loaded(checkout, checkout.folder / f"tenants/{team}.yaml").team
    assert found
    return capacity(found, settings_of(checkout))


def odd(quota: Amounts) -> str:
    """The odd team's file with that quota."""
    cpu, memory, cpu_limit, memory_limit, pods, services, claims, _ = quota
    requests = f"{{cpu: {cpu}m, memory: {memory}}}"
    limits = f"{{cpu: {cpu_limit}m, memory: {memory_limit}}}"
    counts = f"pods: {pods}, services: {services}, persistentvolumeclaims: {claims}"
    return f"{ODD}quota: {{requests: {requests}, limits: {limits}, {counts}}}\n"


def write_odd(checkout: Checkout) -> None:
    """With a quota that just fits."""
    file = checkout.folder / FILE
    file.write_text(ODD, encoding="utf-8")
    file.write_text(odd(planned(checkout).needed), encoding="utf-8")


def set_istio(checkout: Checkout, istio: Object) -> None:
    file = checkout.folder / STACK
    stack = yaml.safe_load(file.read_text(encoding="utf-8"))
    stack["config"]["sre-platform:istio"] = istio
    file.write_text(yaml.safe_dump(stack), encoding="utf-8")


def less(amounts: Amounts, resource: str) -> Amounts:
    """One unit less of it: a thousandth of a core, a byte, a pod or a Service."""
    return tuple(
        amount - (name == resource) for name, amount in zip(RESOURCES, amounts, strict=True)
    )


def by_resource(amounts: Amounts) -> dict[str, int]:
    return dict(zip(RESOURCES, amounts, strict=True))


def used(cluster: Cluster, team: str = TEAM) -> dict[str, Decimal]:
    """What the quota controller counts, in the same units; read by Kubernetes' own client."""
    counted: Mapping[str, str] = quota(cluster, team)["status"]["used"]
    return {
        name: parse_quantity(counted.get(name, 0)) * (1000 if name.endswith("cpu") else 1)
        for name in RESOURCES
    }


def quota(cluster: Cluster, team: str) -> Object:
    found = cluster.get("v1", "ResourceQuota", team, f"{team}-quota")
    assert found
    return found


def set_quota(cluster: Cluster, amounts: Bounds) -> None:
    """The odd team's, whatever its file says, and in force."""
    hard = {
        name: f"{amount}m" if name.endswith("cpu") else str(amount)
        for name, amount in zip(RESOURCES, amounts, strict=True)
        if amount is not None and name not in UNLIMITED
    }
    patch(cluster, quota(cluster, TEAM), {"spec": {"hard": hard}})
    until(lambda: not missing(quota(cluster, TEAM)))


def patch(cluster: Cluster, object: Object, change: Object, part: str = "") -> None:
    path = cluster.path_of(object) + part
    cluster.call("PATCH", path, change, None, "application/merge-patch+json")


def deployments(cluster: Cluster, team: str = TEAM) -> dict[str, Object]:
    """By name."""
    kind = {"apiVersion": "apps/v1", "kind": "Deployment"}  # which a list does not repeat
    listed = cluster.list("apps/v1", "Deployment", team)
    return {each["metadata"]["name"]: {**kind, **each} for each in listed}


def running(cluster: Cluster, team: str = TEAM) -> int:
    """How many pods run, those included that are about to end."""
    pods = cluster.list("v1", "Pod", team)
    return sum(pod["status"]["phase"] == "Running" for pod in pods)


def at_rest(cluster: Cluster, team: str = TEAM) -> bool:
    """Whether all pods run that should, autoscalers' fewest included, and no others."""
    scalers = cluster.list("autoscaling/v2", "HorizontalPodAutoscaler", team)
    fewest = {each["metadata"]["name"]: each["spec"]["minReplicas"] for each in scalers}
    found = deployments(cluster, team)
    return (
        not any(missing(each) for each in found.values())
        and all(found[name]["spec"]["replicas"] >= least for name, least in fewest.items())
        and running(cluster, team) == sum(each["spec"]["replicas"] for each in found.values())
    )


def assert_used(cluster: Cluster, wanted: Amounts, team: str = TEAM) -> None:
    """What is used at rest; the controller may count a little later."""
    with suppress(AssertionError):  # told below, with the amounts
        until(lambda: at_rest(cluster, team) and used(cluster, team) == by_resource(wanted))
    assert used(cluster, team) == by_resource(wanted)
    assert at_rest(cluster, team)


def scale(cluster: Cluster, pods: Mapping[str, int]) -> None:
    found = deployments(cluster)
    for name, replicas in pods.items():
        patch(cluster, found[name], {"spec": {"replicas": replicas}}, "/scale")


def restart(cluster: Cluster, name: str) -> None:
    """As `kubectl rollout restart` does."""
    annotations = {"kubectl.kubernetes.io/restartedAt": "now"}
    template = {"metadata": {"annotations": annotations}}
    patch(cluster, deployments(cluster)[name], {"spec": {"template": template}})


def kept_from_starting(cluster: Cluster) -> bool:
    """Whether a Deployment lacks a pod that would take too much CPU."""
    said = (missing(each) for each in deployments(cluster).values())
    return any(f"exceeded quota: {TEAM}-quota, requested: requests.cpu=" in text for text in said)


def refusal_of_run(cluster: Cluster) -> str:
    """What the API server says to the pod of a run; empty if it lets it start."""
    job = cluster.get("batch/v1", "CronJob", TEAM, "report")
    assert job
    template = job["spec"]["jobTemplate"]["spec"]["template"]
    metadata = {**template["metadata"], "name": "run", "namespace": TEAM}
    pod = {**template, "apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    try:
        cluster.create(pod, dry_run=True)
    except RefusedError as refusal:
        return refusal.reason
    return ""


@pytest.fixture(scope="module")
def provisioned(servers: Checkout) -> Checkout:
    """The shipped teams, and an odd one whose quota is exactly what it needs."""
    inject(cluster_of(servers))
    set_istio(servers, ODD_SIDECAR)
    write_odd(servers)
    servers.up()
    return servers


@pytest.fixture
def cluster(provisioned: Checkout) -> Cluster:
    return cluster_of(provisioned)


@contextmanager
def quota_put_back(cluster: Cluster, planned: Capacity) -> Generator[None]:
    try:
        yield
    finally:
        set_quota(cluster, planned.quota)


@pytest.mark.parametrize("team", ["team-alpha", "team-beta", TEAM])
def test_a_team_uses_at_rest_what_is_computed_from_its_file(
    provisioned: Checkout, cluster: Cluster, team: str
) -> None:
    assert_used(cluster, planned(provisioned, team).rest, team)


def test_with_just_that_as_quota_all_pods_start_and_with_a_millicore_less_all_but_one(
    provisioned: Checkout, cluster: Cluster
) -> None:
    wanted = planned(provisioned)
    pods = {demand.app.name: demand.rest for demand in wanted.apps if demand.rest}
    with quota_put_back(cluster, wanted):
        scale(cluster, dict.fromkeys(pods, 0))
        until(lambda: used(cluster)["pods"] == running(cluster) == 0)
        set_quota(cluster, less(wanted.rest, "requests.cpu"))
        scale(cluster, pods)
        until(lambda: running(cluster) == sum(pods.values()) - 1 and kept_from_starting(cluster))

        set_quota(cluster, wanted.rest)
        assert_used(cluster, wanted.rest)


def test_a_rollout_needs_its_surge_to_the_millicore(
    provisioned: Checkout, cluster: Cluster
) -> None:
    wanted = planned(provisioned)
    with quota_put_back(cluster, wanted):
        set_quota(cluster, less(wanted.rollout, "requests.cpu"))
        restart(cluster, "without-metrics")
        until(lambda: kept_from_starting(cluster))

        set_quota(cluster, wanted.rollout)
        assert_used(cluster, wanted.rest)


@pytest.mark.parametrize("resource", OF_PODS)
def test_a_run_of_a_cronjob_needs_what_its_pod_takes_to_the_unit(
    provisioned: Checkout, cluster: Cluster, resource: str
) -> None:
    wanted = planned(provisioned)
    [report] = [demand for demand in wanted.apps if demand.app.name == "report"]
    beside = total([wanted.rest, report.pod])
    with quota_put_back(cluster, wanted):
        set_quota(cluster, beside)
        until(lambda: refusal_of_run(cluster) == "")
        set_quota(cluster, less(beside, resource))
        said = f"exceeded quota: {TEAM}-quota, requested: {resource}="
        until(lambda: said in refusal_of_run(cluster))


def test_with_a_quota_of_what_is_needed_a_new_version_rolls_out(
    provisioned: Checkout, cluster: Cluster
) -> None:
    plan = planned(provisioned)
    assert plan.quota == (*plan.needed[:-1], None)  # storage has no limit
    provisioned.edit(FILE, "tag: v2.0.0", "tag: v2.0.1")
    assert f"Deployment {TEAM}/without-metrics" in provisioned.up().steps("updated")
    assert_used(cluster, planned(provisioned).rest)
    [container] = deployments(cluster)["without-metrics"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(":v2.0.1")


@pytest.mark.parametrize("resource", OF_APPS)
def test_a_quota_of_one_unit_less_is_refused_in_the_file(
    provisioned: Checkout, tmp_path: Path, resource: str
) -> None:
    file = tmp_path / f"{TEAM}.yaml"
    file.write_text(odd(less(planned(provisioned).needed, resource)), encoding="utf-8")
    [problem] = loaded(provisioned, file).problems
    assert f"over quota.{resource} " in str(problem)


def test_where_the_stack_does_not_say_what_the_sidecar_takes_it_is_as_istio_has_it(
    provisioned: Checkout, cluster: Cluster
) -> None:
    # The shipped teams' quotas are not for such sidecars.
    provisioned.edit("tenants/team-alpha.yaml", "\napps:", "\nlifecycle: suspended\napps:")
    provisioned.edit("tenants/team-beta.yaml", "lifecycle: active", "lifecycle: suspended")
    set_istio(provisioned, {})
    write_odd(provisioned)
    provisioned.up()
    assert_used(cluster, planned(provisioned).rest)
