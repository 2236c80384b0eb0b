"""What a pod and its containers may not do, but for the app's exceptions.

NIST 800-53 AC-6, CM-6, CM-7; guide: Pod rejected by admission webhook.
"""

import json

from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    PodSecurityContextArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
    SysctlArgs,
)

from components.volumes import file_group
from specs.app import BaseApp
from specs.exceptions import (
    EXCEPTIONS_ANNOTATION,
    FIRST_UNPRIVILEGED_PORT,
    PRIVILEGED_PORT,
    WRITABLE_ROOT,
)


def pod_security(app: BaseApp) -> PodSecurityContextArgs:
    """The security context of an app's pods; Istio's containers set their own user and group."""
    run_as = app.app.run_as
    return PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=run_as.user,
        run_as_group=run_as.group,
        seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
        fs_group=file_group(app),
        # Not at each start, which takes minutes on a volume with many files.
        fs_group_change_policy="OnRootMismatch" if app.app.volumes else None,
        sysctls=_sysctls(app),
    )


def container_security(app: BaseApp, *, own: bool = True) -> SecurityContextArgs:
    """The security context of a container of an app's pods.

    `own`: whether it is the app's own; others, such as steps before it, get no capability.
    """
    added = list(app.capabilities) if own else []
    return SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=WRITABLE_ROOT not in _allowed(app),
        run_as_non_root=True,
        capabilities=CapabilitiesArgs(drop=["ALL"], add=added or None),
    )


def exceptions_annotation(app: BaseApp) -> dict[str, str]:
    """On an app's Deployment or CronJob: its exceptions, for auditors and reviews."""
    if not app.exceptions:
        return {}
    listed = [each.model_dump(mode="json", by_alias=True) for each in app.exceptions]
    listed.sort(key=lambda each: str(each["allow"]))
    return {EXCEPTIONS_ANNOTATION: json.dumps(listed, sort_keys=True, ensure_ascii=False)}


def _allowed(app: BaseApp) -> set[str]:
    return {exception.allow for exception in app.exceptions}


def _sysctls(app: BaseApp) -> list[SysctlArgs] | None:
    """Down to the lowest port that the app listens on, and no further.

    Pod Security `restricted` admits this one (Kubernetes: Using sysctls, safe sysctls).
    """
    lowest = min(app.ports.values(), default=FIRST_UNPRIVILEGED_PORT)
    if PRIVILEGED_PORT not in _allowed(app) or lowest >= FIRST_UNPRIVILEGED_PORT:
        return None
    return [SysctlArgs(name="net.ipv4.ip_unprivileged_port_start", value=str(lowest))]
