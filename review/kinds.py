"""Every kind of object that the program makes, and how a review looks at it.

A change that is neither judged by the kind's rule nor ordinary needs a second reviewer, as does an
object of a kind that is not here: what nobody has thought about does not pass for harmless.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from review.objects import PROVIDER
from review.pair import Hit, ObjectRule, Pair
from review.rules import access, exposure, limits, monitoring, platform, registry, secrets, workload
from review.rules.accounts import service_account


def _nothing(_: Pair) -> Iterator[Hit]:
    return iter(())


@dataclass(frozen=True)
class Kind:
    """How one kind is looked at; paths are as `review.changes.within` takes them.

    `judged`: what the rule has an answer for, be it that nothing is wrong. `ordinary`: what may
    change without a word. `fixed`: what cannot change in place, so that the object is destroyed and
    made anew. `controls`: what is touched when one is destroyed. `data`: whether data goes with it.
    """

    rule: ObjectRule = _nothing
    judged: tuple[str, ...] = ()
    ordinary: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    data: bool = False


# A release changes it on the Deployment or CronJob and its pods.
ORDINARY = ('metadata.labels["app.kubernetes.io/version"]',)


_IN_POD = tuple(
    f"spec.{group}[*].{field}"
    for group in ("containers", "initContainers")
    for field in ("resources", "imagePullPolicy")
)


def _pods(template: str, *ordinary: str, fixed: tuple[str, ...] = ()) -> Kind:
    return Kind(
        workload.workload,
        judged=("spec.replicas", *(f"{template}.{path}" for path in workload.JUDGED)),
        ordinary=(
            *ordinary,
            *(f"{template}.{path}" for path in (*ORDINARY, *_IN_POD, "spec.restartPolicy")),
            f"{template}.spec.terminationGracePeriodSeconds",
        ),
        fixed=fixed,
        controls=("CP-10",),
    )


# Whatever changes there is told.
_LOGIN = Kind(access.login, judged=("*",), fixed=("type",), controls=("IA-2",))

KINDS = {
    # What holds a team
    "Namespace": Kind(
        exposure.namespace,
        judged=("metadata.labels", "metadata.annotations"),
        data=True,
    ),
    "ResourceQuota": Kind(limits.resource_quota, judged=("spec.hard",), controls=("SC-6",)),
    "LimitRange": Kind(limits.limit_range, judged=("spec.limits",), controls=("SC-6",)),
    # Judged for a namespace as a whole
    "NetworkPolicy": Kind(judged=("spec",), controls=("SC-7",)),
    "RoleBinding": Kind(
        access.role_binding, judged=("subjects", "roleRef"), fixed=("roleRef",), controls=("AC-2",)
    ),
    "ClusterRoleBinding": Kind(
        access.role_binding, judged=("subjects", "roleRef"), fixed=("roleRef",), controls=("AC-2",)
    ),
    # The registry
    "Project": Kind(
        registry.project,
        judged=(
            "enableContentTrustCosign", "vulnerabilityScanning", "public", "forceDestroy",
            "storageQuota",
        ),
        fixed=("name",),
        data=True,
    ),
    "RetentionPolicy": Kind(
        registry.retention, judged=("rules", "schedule"), fixed=("scope",), data=True
    ),
    "ProjectMemberGroup": Kind(
        access.member,
        judged=("groupName", "role"),
        fixed=("groupName", "projectId", "type"),
        controls=("AC-2",),
    ),
    "RobotAccount": Kind(
        access.robot,
        judged=("permissions", "disable", "duration"),
        ordinary=("description",),
        fixed=("name", "level"),
        controls=("AC-2",),
    ),
    # The vault
    "Mount": Kind(fixed=("type",), ordinary=("description",), data=True),
    "SecretV2": Kind(fixed=("mount", "name"), data=True),
    "Policy": Kind(access.openbao_policy, judged=("policy",), fixed=("name",), controls=("AC-2",)),
    "AuthBackend": _LOGIN,
    "AuthBackendConfig": _LOGIN,
    "AuthBackendRole": Kind(
        access.login_role,
        judged=(
            "boundServiceAccountNames", "boundServiceAccountNamespaces", "tokenPolicies",
            "tokenTtl", "tokenMaxTtl", "tokenPeriod",
        ),
        fixed=("backend", "roleName"),
        controls=("AC-2",),
    ),
    "Group": Kind(access.identity_group, judged=("name", "policies"), controls=("AC-2",)),
    "GroupAlias": Kind(access.identity_group, judged=("name",), controls=("AC-2",)),
    "ClusterSecretStore": _LOGIN,
    "SecretStore": _LOGIN,
    "ExternalSecret": Kind(
        secrets.external_secret,
        judged=("spec.data", "spec.dataFrom", "spec.secretStoreRef"),
        ordinary=("spec.refreshInterval",),
        controls=("IA-5",),
    ),
    "Secret": Kind(secrets.secret, fixed=("type",), controls=("IA-5",)),
    # What runs
    "Deployment": _pods(
        "spec.template",
        *(f"spec.{field}" for field in ("strategy", "minReadySeconds", "revisionHistoryLimit")),
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
            )
        ),
    ),
    "ServiceAccount": Kind(
        service_account, judged=("automountServiceAccountToken",), controls=("AC-2",)
    ),
    "Service": Kind(
        exposure.service,
        judged=("spec.type", "spec.externalIPs"),
        ordinary=("spec.ports",),
        fixed=("spec.clusterIP",),
    ),
    "VirtualService": Kind(
        exposure.virtual_service,
        judged=("spec.hosts", "spec.gateways", "spec.http[].route[].destination"),
    ),
    "HorizontalPodAutoscaler": Kind(
        limits.autoscaler,
        judged=("spec.minReplicas",),
        ordinary=("spec.maxReplicas", "spec.metrics", "spec.behavior"),
        controls=("CP-10",),
    ),
    "PodDisruptionBudget": Kind(
        limits.disruption_budget, judged=("spec.minAvailable",), controls=("CP-10",)
    ),
    # What is watched
    "PrometheusRule": Kind(
        monitoring.prometheus_rule, judged=("spec.groups",), controls=("SI-4", "AU-6")
    ),
    "ServiceMonitor": Kind(
        monitoring.service_monitor, judged=("spec.endpoints",), controls=("SI-4",)
    ),
    # What all teams lean on
    "ValidatingAdmissionPolicy": Kind(
        platform.admission_policy, judged=("spec",), controls=("CM-6", "AC-3")
    ),
    "ValidatingAdmissionPolicyBinding": Kind(
        platform.admission_binding, judged=("spec",), controls=("CM-6", "AC-3")
    ),
    PROVIDER: Kind(
        platform.provider,
        judged=("insecure", "skipTlsVerify", "clusterIdentifier"),
        ordinary=("maxRetries",),
    ),
}  # fmt: skip
