"""Workloads: Deployment or CronJob, hardened pods and their ServiceAccount.

NIST 800-53 AC-6, CM-7; guide: App Templates and Troubleshooting.
"""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs
from pulumi_kubernetes.batch.v1 import CronJob, CronJobSpecArgs, JobSpecArgs, JobTemplateSpecArgs
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    ExecActionArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    LocalObjectReferenceArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecretKeySelectorArgs,
    SecurityContextArgs,
    ServiceAccount,
    SleepActionArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from components.metadata import (
    Place,
    app_labels,
    app_selector,
    object_meta,
    workload_labels,
)
from components.monitoring import pod_annotations
from components.quota import amounts
from specs import container as spec
from specs.app import HTTP, BaseApp, WebApp, Worker
from specs.app import CronJob as CronJobApp
from specs.container import PULL_SECRET
from specs.resources import resolve
from specs.settings import Settings
from specs.team import Team

# The sidecar starts before the app and ends after it, so that no request is lost in between and a
# Job completes (Istio: sidecar.istio.io/nativeSidecar; Kubernetes: Sidecar Containers).
_NATIVE_SIDECAR = {"sidecar.istio.io/nativeSidecar": "true"}

# A web-app keeps serving for this long while gateways and sidecars learn that its pod is ending.
# It counts towards the 30 s that Kubernetes gives a pod to end.
_FAREWELL_SECONDS = 5


def account_name(app: BaseApp) -> str:
    """Name of the ServiceAccount of the app's pods."""
    return app.name if app.service_account.create else "default"


def service_account(team: Team, app: BaseApp, place: Place, settings: Settings) -> ServiceAccount:
    """`<app.name>`: the app's own identity, with the team's image pull secret."""
    return ServiceAccount(
        place.name(app.name),
        metadata=object_meta(place, app.name, app_labels(team, app)),
        automount_service_account_token=False,
        image_pull_secrets=_pull_secrets(settings),
        opts=place.options,
    )


def deployment(
    team: Team,
    app: WebApp | Worker,
    place: Place,
    template: PodTemplateSpecArgs,
    depends_on: Sequence[pulumi.Resource],
) -> Deployment:
    """`<app.name>` (guide: sre-web-app, sre-worker)."""
    return Deployment(
        place.name(app.name),
        metadata=object_meta(place, app.name, workload_labels(team, app)),
        spec=DeploymentSpecArgs(
            replicas=_replicas(team, app),
            selector=LabelSelectorArgs(match_labels=app_selector(app)),
            template=template,
        ),
        opts=place.with_options(depends_on=depends_on),
    )


def _replicas(team: Team, app: WebApp | Worker) -> int | None:
    if not team.running:
        return 0  # an autoscaler does not scale a Deployment without pods
    # If there is an autoscaler, it owns the number of pods.
    return None if app.autoscaling.enabled else app.app.replicas


def cron_job(
    team: Team,
    app: CronJobApp,
    place: Place,
    template: PodTemplateSpecArgs,
    depends_on: Sequence[pulumi.Resource],
) -> CronJob:
    """`<app.name>` (guide: sre-cronjob)."""
    schedule = app.schedule
    return CronJob(
        place.name(app.name),
        metadata=object_meta(place, app.name, workload_labels(team, app)),
        spec=CronJobSpecArgs(
            schedule=schedule.cron,
            time_zone=schedule.timezone,
            concurrency_policy=schedule.concurrency_policy,
            starting_deadline_seconds=schedule.starting_deadline_seconds,
            successful_jobs_history_limit=schedule.successful_jobs_history_limit,
            failed_jobs_history_limit=schedule.failed_jobs_history_limit,
            suspend=None if team.running else True,
            job_template=JobTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=app_labels(team, app)),
                spec=JobSpecArgs(
                    active_deadline_seconds=schedule.active_deadline_seconds,
                    backoff_limit=schedule.backoff_limit,
                    template=template,
                ),
            ),
        ),
        opts=place.with_options(depends_on=depends_on),
    )


def pod_template(
    team: Team,
    app: BaseApp,
    settings: Settings,
    account: ServiceAccount | None,
    restart_policy: str | None = None,
) -> PodTemplateSpecArgs:
    """The hardened pod: no root, no token, no writable root file system, no capabilities.

    Source: guide, Pod rejected by admission webhook.
    """
    return PodTemplateSpecArgs(
        metadata=ObjectMetaArgs(
            labels=workload_labels(team, app),
            annotations={
                **_NATIVE_SIDECAR,
                **pod_annotations(app, settings),
                **_sidecar(settings),
            },
        ),
        spec=PodSpecArgs(
            service_account_name=account.metadata["name"] if account else account_name(app),
            automount_service_account_token=False,
            # The app's own account has the pull secret; the namespace's default has none.
            image_pull_secrets=None if account else _pull_secrets(settings),
            restart_policy=restart_policy,
            security_context=PodSecurityContextArgs(
                run_as_non_root=True, seccomp_profile=SeccompProfileArgs(type="RuntimeDefault")
            ),
            containers=[_container(team, app)],
            volumes=[
                VolumeArgs(
                    name=_volume(index),
                    empty_dir=EmptyDirVolumeSourceArgs(size_limit=path.size_limit.text),
                )
                for index, path in enumerate(app.app.writable_paths)
            ]
            or None,
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


def _container(team: Team, app: BaseApp) -> ContainerArgs:
    container = app.app
    resources = resolve(container.resources, team.limit_range)
    command, args = _command(container)
    liveness, readiness = _probes(app)
    return ContainerArgs(
        name=app.name,
        image=container.image.reference,
        image_pull_policy=container.image.pull_policy,
        command=command,
        args=args,
        ports=_ports(app),
        env=[_env(variable) for variable in container.env] or None,
        resources=ResourceRequirementsArgs(
            requests=amounts(resources.requests.cpu, resources.requests.memory),
            limits=amounts(resources.limits.cpu, resources.limits.memory),
        ),
        security_context=SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            run_as_non_root=True,
            capabilities=CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=[
            VolumeMountArgs(name=_volume(index), mount_path=path.path)
            for index, path in enumerate(container.writable_paths)
        ]
        or None,
        liveness_probe=liveness,
        readiness_probe=readiness,
        lifecycle=_lifecycle(app),
    )


def _lifecycle(app: BaseApp) -> LifecycleArgs | None:
    if not isinstance(app, WebApp):
        return None  # nothing sends it requests
    sleep = SleepActionArgs(seconds=_FAREWELL_SECONDS)
    return LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=sleep))


def _command(container: spec.Container) -> tuple[list[str] | None, list[str] | None]:
    if isinstance(container, spec.WorkerContainer | spec.CronJobContainer):
        return list(container.command) or None, list(container.args) or None
    return None, None


def _ports(app: BaseApp) -> list[ContainerPortArgs] | None:
    return [
        ContainerPortArgs(name=name, container_port=port, protocol="TCP")
        for name, port in app.ports.items()
    ] or None


def _probes(app: BaseApp) -> tuple[ProbeArgs | None, ProbeArgs | None]:
    """Liveness and readiness."""
    if isinstance(app, WebApp):
        web = app.app.probes
        return _http(web.liveness), _http(web.readiness)
    if isinstance(app, Worker):
        worker = app.app.probes
        return _exec(worker.liveness), _exec(worker.readiness)
    return None, None


def _http(probe: spec.LivenessProbe | spec.ReadinessProbe) -> ProbeArgs:
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=probe.path, port=HTTP),
        initial_delay_seconds=probe.initial_delay_seconds,
        period_seconds=probe.period_seconds,
    )


def _exec(probe: spec.ExecLivenessProbe | spec.ExecReadinessProbe | None) -> ProbeArgs | None:
    if probe is None:
        return None
    return ProbeArgs(
        exec_=ExecActionArgs(command=list(probe.exec.command)),
        initial_delay_seconds=probe.initial_delay_seconds,
        period_seconds=probe.period_seconds,
    )


def _env(variable: spec.EnvVar) -> EnvVarArgs:
    if variable.secret_ref is None:
        return EnvVarArgs(name=variable.name, value=variable.value)
    source = EnvVarSourceArgs(
        secret_key_ref=SecretKeySelectorArgs(name=variable.secret_ref, key="value")
    )
    return EnvVarArgs(name=variable.name, value_from=source)


def _pull_secrets(settings: Settings) -> list[LocalObjectReferenceArgs] | None:
    pull = settings.harbor.image_pull_secret
    return [LocalObjectReferenceArgs(name=PULL_SECRET)] if pull else None


def _volume(index: int) -> str:
    return f"writable-{index}"
