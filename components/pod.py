"""The hardened pod of an app.

NIST 800-53 AC-6, CM-7; guide: App Templates and Troubleshooting.
"""

from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    ContainerPortArgs,
    ExecActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    LocalObjectReferenceArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ResourceRequirementsArgs,
    ServiceAccount,
    SleepActionArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components import files, mounts
from components.hardening import container_security, pod_security
from components.metadata import workload_labels
from components.monitoring import pod_annotations
from components.placement import spread
from components.probes import probe
from components.quota import amounts
from components.variables import variables, whole_secrets
from specs.app import BaseApp
from specs.container import Container
from specs.env_vars import PULL_SECRET
from specs.probes import LIVENESS, READINESS, STARTUP
from specs.process import GRACE_SECONDS, InitStep, PreStop
from specs.resources import resolve
from specs.settings import Settings
from specs.team import Team

# The sidecar starts before the app and ends after it, so that no request is lost in between and a
# Job completes (Istio: sidecar.istio.io/nativeSidecar; Kubernetes: Sidecar Containers).
_NATIVE_SIDECAR = {"sidecar.istio.io/nativeSidecar": "true"}


def pod_template(
    team: Team,
    app: BaseApp,
    settings: Settings,
    account: ServiceAccount | None,
    restart_policy: str | None = None,
) -> PodTemplateSpecArgs:
    """The hardened pod: what `hardening` says, and no token.

    Source: guide, Pod rejected by admission webhook.
    """
    grace = app.app.termination_grace_period_seconds
    return PodTemplateSpecArgs(
        metadata=ObjectMetaArgs(
            labels=workload_labels(team, app),
            annotations={
                **_NATIVE_SIDECAR,
                **pod_annotations(app, settings),
                **_sidecar(settings),
                **files.checksum(app),
            },
        ),
        spec=PodSpecArgs(
            service_account_name=account.metadata["name"] if account else app.account,
            automount_service_account_token=False,
            # The app's own account has the pull secret; the namespace's default has none.
            image_pull_secrets=None if account else pull_secrets(settings),
            restart_policy=restart_policy,
            termination_grace_period_seconds=None if grace == GRACE_SECONDS else grace,
            topology_spread_constraints=spread(app, settings),
            security_context=pod_security(app),
            # Istio puts its sidecar before them (istio/istio: pkg/kube/inject/webhook.go).
            init_containers=[_container(team, app, step.name, step) for step in app.app.init]
            or None,
            containers=[_app_container(team, app)],
            volumes=mounts.in_pod(app),
        ),
    )


def _sidecar(settings: Settings) -> dict[str, str]:
    """Annotations that give the sidecar the stack's CPU and memory.

    All four, because Istio uses none of its own defaults if one of them is set (Istio: injection
    template, "resources").
    """
    proxy = settings.istio.proxy
    if proxy is None:
        return {}
    return {
        "sidecar.istio.io/proxyCPU": proxy.requests.cpu.text,
        "sidecar.istio.io/proxyMemory": proxy.requests.memory.text,
        "sidecar.istio.io/proxyCPULimit": proxy.limits.cpu.text,
        "sidecar.istio.io/proxyMemoryLimit": proxy.limits.memory.text,
    }


def _app_container(team: Team, app: BaseApp) -> ContainerArgs:
    made = _container(team, app, app.name, app.app)
    made.ports = _ports(app)
    made.startup_probe = probe(app, STARTUP)
    made.liveness_probe = probe(app, LIVENESS)
    made.readiness_probe = probe(app, READINESS)
    made.lifecycle = _lifecycle(app.app.pre_stop)
    return made


def _container(team: Team, app: BaseApp, name: str, process: Container | InitStep) -> ContainerArgs:
    """The app's container or that of a step before it: hardened, and with equal surroundings.

    As a step has the resources of the app and never runs beside it, a pod takes no more with it.
    """
    container = app.app
    image = process.image or container.image
    resources = resolve(container.resources, team.limit_range)
    return ContainerArgs(
        name=name,
        image=image.reference,
        image_pull_policy=image.pull_policy,
        command=list(process.command) or None,
        args=list(process.args) or None,
        env=variables(container),
        env_from=whole_secrets(container),
        resources=ResourceRequirementsArgs(
            requests=amounts(resources.requests.cpu, resources.requests.memory),
            limits=amounts(resources.limits.cpu, resources.limits.memory),
        ),
        security_context=container_security(app, own=process is container),
        volume_mounts=mounts.in_container(app),
    )


def _lifecycle(pre_stop: PreStop | None) -> LifecycleArgs | None:
    if pre_stop and pre_stop.exec:
        handler = LifecycleHandlerArgs(exec_=ExecActionArgs(command=list(pre_stop.exec.command)))
    elif pre_stop and pre_stop.sleep_seconds:  # not every API server accepts 0
        handler = LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=pre_stop.sleep_seconds))
    else:
        return None
    return LifecycleArgs(pre_stop=handler)


def _ports(app: BaseApp) -> list[ContainerPortArgs] | None:
    return [
        ContainerPortArgs(name=name, container_port=port, protocol="TCP")
        for name, port in app.ports.items()
    ] or None


def pull_secrets(settings: Settings) -> list[LocalObjectReferenceArgs] | None:
    """The team's image pull Secret, if the stack makes it."""
    pull = settings.harbor.image_pull_secret
    return [LocalObjectReferenceArgs(name=PULL_SECRET)] if pull else None
