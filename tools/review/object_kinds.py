"""Every kind of object that the program creates, and how a review treats it.

A change needs a second reviewer if the kind's rule does not judge it and it is not ordinary, or if
the object's kind is not listed here: an unforeseen change does not pass as harmless.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from specs.exceptions import EXCEPTIONS_ANNOTATION
from specs.labels import FILES_ANNOTATION, probe_off
from specs.probes import PROBES
from specs.volumes import ON_REMOVAL
from tools.review.pair import Hit, ObjectRule, Pair
from tools.review.rendered_objects import PROVIDER
from tools.review.rules import (
    access,
    exposure,
    limits,
    mesh,
    monitoring,
    platform,
    registry,
    secrets,
    volumes,
    workload,
)
from tools.review.rules.accounts import service_account


def _nothing(_: Pair) -> Iterator[Hit]:
    return iter(())


def _never(_: Pair) -> bool:
    return False


@dataclass(frozen=True)
class ObjectKind:
    """How to treat one kind; paths are as in `plain.trees.within`.

    `judged`: fields that the rule decides about, even if nothing is wrong. `ordinary`: fields that
    may change without a finding. `fixed`: fields that cannot change in place, so that the object is
    destroyed and recreated. `data`: whether its data is destroyed too. `stays`: whether one that is
    removed from the files is kept. `removal`: what it means that one is gone, if that is known;
    otherwise it is destroyed.
    """

    rule: ObjectRule = _nothing
    judged: tuple[str, ...] = ()
    ordinary: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    data: bool = False
    stays: Callable[[Pair], bool] = _never
    removal: ObjectRule = _nothing


# A release changes it on the Deployment or CronJob and its pods.
ORDINARY = ('metadata.labels["app.kubernetes.io/version"]',)


# Where the sidecar reads the app's metrics: they follow from the app's port and `serviceMonitor`.
_METRICS = tuple(
    f'metadata.annotations["prometheus.io/{what}"]' for what in ("scrape", "port", "path")
)

# It follows from the files, whose ConfigMap is judged.
_FILES = f'metadata.annotations["{FILES_ANNOTATION}"]'

_EXCEPTIONS = f'metadata.annotations["{EXCEPTIONS_ANNOTATION}"]'

_IN_POD = tuple(
    f"spec.{group}[*].{field}"
    for group in ("containers", "initContainers")
    for field in ("resources", "imagePullPolicy")
)


def _pods(template: str, *ordinary: str, fixed: tuple[str, ...] = ()) -> ObjectKind:
    return ObjectKind(
        workload.workload,
        judged=(
            "spec.replicas",
            "spec.strategy",
            _EXCEPTIONS,
            *(f'metadata.annotations["{probe_off(probe)}"]' for probe in PROBES),
            *(f"{template}.{path}" for path in workload.JUDGED),
        ),
        ordinary=(
            *ordinary,
            *(
                f"{template}.{path}"
                for path in (*ORDINARY, *_METRICS, _FILES, *_IN_POD, "spec.restartPolicy")
            ),
            f"{template}.spec.terminationGracePeriodSeconds",
            f"{template}.spec.topologySpreadConstraints",
            f"{template}.spec.securityContext.fsGroup",
            f"{template}.spec.securityContext.fsGroupChangePolicy",
        ),
        fixed=fixed,
    )


# Every change there is reported.
_LOGIN = ObjectKind(access.login, judged=("*",), fixed=("type",))

KINDS = {
    # A team's container
    "Namespace": ObjectKind(
        exposure.namespace,
        judged=("metadata.labels", "metadata.annotations"),
        data=True,
    ),
    "ResourceQuota": ObjectKind(limits.resource_quota, judged=("spec.hard",)),
    "LimitRange": ObjectKind(limits.limit_range, judged=("spec.limits",)),
    "PersistentVolumeClaim": ObjectKind(
        volumes.claim,
        judged=("spec",),
        # Losing the protection with it is what counts.
        ordinary=(f'metadata.annotations["{ON_REMOVAL}"]',),
        data=True,
        stays=volumes.stays,
    ),
    # Judged for a namespace as a whole
    "NetworkPolicy": ObjectKind(judged=("spec",)),
    "AuthorizationPolicy": ObjectKind(
        mesh.authorization_policy,
        judged=("spec", 'metadata.annotations["istio.io/dry-run"]'),
        removal=mesh.policy_gone,
    ),
    "ServiceEntry": ObjectKind(mesh.service_entry, judged=("spec",), removal=mesh.entry_gone),
    "RoleBinding": ObjectKind(
        access.role_binding, judged=("subjects", "roleRef"), fixed=("roleRef",)
    ),
    "ClusterRoleBinding": ObjectKind(
        access.role_binding, judged=("subjects", "roleRef"), fixed=("roleRef",)
    ),
    # The registry
    "Project": ObjectKind(
        registry.project,
        judged=(
            "enableContentTrustCosign", "vulnerabilityScanning", "public", "forceDestroy",
            "storageQuota",
        ),
        fixed=("name",),
        data=True,
    ),
    "RetentionPolicy": ObjectKind(
        registry.retention, judged=("rules", "schedule"), fixed=("scope",), data=True
    ),
    "ProjectMemberGroup": ObjectKind(
        access.member,
        judged=("groupName", "role"),
        fixed=("groupName", "projectId", "type"),
    ),
    "RobotAccount": ObjectKind(
        access.robot,
        judged=("permissions", "disable", "duration"),
        ordinary=("description",),
        fixed=("name", "level"),
    ),
    # The vault
    "Mount": ObjectKind(fixed=("type",), ordinary=("description",), data=True),
    "SecretV2": ObjectKind(fixed=("mount", "name"), data=True),
    "Policy": ObjectKind(
        access.openbao_policy, judged=("policy",), fixed=("name",)
    ),
    "AuthBackend": _LOGIN,
    "AuthBackendConfig": _LOGIN,
    "AuthBackendRole": ObjectKind(
        access.login_role,
        judged=(
            "boundServiceAccountNames", "boundServiceAccountNamespaces", "tokenPolicies",
            "tokenTtl", "tokenMaxTtl", "tokenPeriod",
        ),
        fixed=("backend", "roleName"),
    ),
    "Group": ObjectKind(access.identity_group, judged=("name", "policies")),
    "GroupAlias": ObjectKind(access.identity_group, judged=("name",)),
    "ClusterSecretStore": _LOGIN,
    "SecretStore": _LOGIN,
    "ExternalSecret": ObjectKind(
        secrets.external_secret,
        judged=("spec.data", "spec.dataFrom", "spec.secretStoreRef"),
        ordinary=("spec.refreshInterval",),
    ),
    "Secret": ObjectKind(secrets.secret, fixed=("type",)),
    "ConfigMap": ObjectKind(workload.files, judged=("data",)),
    # Workloads
    "Deployment": _pods(
        "spec.template",
        *(f"spec.{field}" for field in ("minReadySeconds", "revisionHistoryLimit")),
        "spec.progressDeadlineSeconds",
        fixed=("spec.selector",),
    ),
    "CronJob": _pods(
        "spec.jobTemplate.spec.template",
        *(
            f"spec.{field}"
            for field in (
                "schedule", "timeZone", "concurrencyPolicy", "suspend", "startingDeadlineSeconds",
                "successfulJobsHistoryLimit", "failedJobsHistoryLimit",
                "jobTemplate.spec.activeDeadlineSeconds", "jobTemplate.spec.backoffLimit",
                "jobTemplate.spec.ttlSecondsAfterFinished",
                "jobTemplate.spec.completions", "jobTemplate.spec.parallelism",
            )
        ),
    ),
    "ServiceAccount": ObjectKind(
        service_account, judged=("automountServiceAccountToken",)
    ),
    "Service": ObjectKind(
        exposure.service,
        judged=("spec.type", "spec.externalIPs"),
        ordinary=("spec.ports",),
        fixed=("spec.clusterIP",),
    ),
    "VirtualService": ObjectKind(
        exposure.virtual_service,
        judged=(
            "spec.hosts", "spec.gateways",
            *(
                f"spec.http[].{field}"
                for field in ("match", "route[].destination", "rewrite", "redirect", "corsPolicy")
            ),
        ),
        ordinary=("spec.http[].timeout", "spec.http[].retries"),
    ),
    "HorizontalPodAutoscaler": ObjectKind(
        limits.autoscaler,
        judged=("spec.minReplicas",),
        ordinary=("spec.maxReplicas", "spec.metrics", "spec.behavior"),
    ),
    "PodDisruptionBudget": ObjectKind(
        limits.disruption_budget,
        judged=("spec.minAvailable", "spec.maxUnavailable"),
    ),
    # Monitoring
    "PrometheusRule": ObjectKind(
        monitoring.prometheus_rule, judged=("spec.groups",)
    ),
    "ServiceMonitor": ObjectKind(
        monitoring.service_monitor, judged=("spec.endpoints",)
    ),
    # What all teams share
    "ValidatingAdmissionPolicy": ObjectKind(
        platform.admission_policy, judged=("spec",)
    ),
    "ValidatingAdmissionPolicyBinding": ObjectKind(
        platform.admission_binding, judged=("spec",)
    ),
    PROVIDER: ObjectKind(
        platform.provider,
        judged=("insecure", "skipTlsVerify", "clusterIdentifier"),
        ordinary=("maxRetries", "enableConfigMapMutable"),
    ),
}  # fmt: skip
