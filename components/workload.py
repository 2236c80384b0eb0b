"""Workloads: Deployment or CronJob, hardened pods and their ServiceAccount.

NIST 800-53 AC-6, CM-7; guide: App Templates and Troubleshooting.
"""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.batch.v1 import CronJob, CronJobSpecArgs, JobSpecArgs, JobTemplateSpecArgs
from pulumi_kubernetes.core.v1 import PodTemplateSpecArgs, ServiceAccount
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from components.hardening import exceptions_annotation
from components.metadata import Place, app_labels, app_selector, object_meta, workload_labels
from components.pod import pull_secrets
from components.probes import switched_off
from specs.app import BaseApp, WebApp, Worker, rollout
from specs.app import CronJob as CronJobApp
from specs.availability import Strategy
from specs.settings import Settings
from specs.team import Team


def service_account(team: Team, app: BaseApp, place: Place, settings: Settings) -> ServiceAccount:
    """`<app.name>`: the app's own identity, with the team's image pull secret."""
    return ServiceAccount(
        place.name(app.name),
        metadata=object_meta(place, app.name, app_labels(team, app)),
        automount_service_account_token=False,
        image_pull_secrets=pull_secrets(settings),
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
    annotations = {**switched_off(app), **exceptions_annotation(app)}
    return Deployment(
        place.name(app.name),
        metadata=object_meta(place, app.name, workload_labels(team, app), annotations or None),
        spec=DeploymentSpecArgs(
            replicas=_replicas(team, app),
            strategy=_strategy(rollout(app)),
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


def _strategy(strategy: Strategy) -> DeploymentStrategyArgs:
    """Never left to the API server: its own `rollingUpdate` has no owner, and bars Recreate."""
    if strategy.type == "Recreate":
        return DeploymentStrategyArgs(type="Recreate")
    return DeploymentStrategyArgs(
        type="RollingUpdate",
        rolling_update=RollingUpdateDeploymentArgs(
            max_surge=strategy.max_surge, max_unavailable=strategy.max_unavailable
        ),
    )


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
        metadata=object_meta(
            place, app.name, workload_labels(team, app), exceptions_annotation(app) or None
        ),
        spec=CronJobSpecArgs(
            schedule=schedule.cron,
            time_zone=schedule.timezone,
            concurrency_policy=schedule.concurrency_policy,
            starting_deadline_seconds=schedule.starting_deadline_seconds,
            successful_jobs_history_limit=schedule.successful_jobs_history_limit,
            failed_jobs_history_limit=schedule.failed_jobs_history_limit,
            suspend=True if schedule.suspend or not team.running else None,
            job_template=JobTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=app_labels(team, app)),
                spec=JobSpecArgs(
                    active_deadline_seconds=schedule.active_deadline_seconds,
                    completions=schedule.completions,
                    parallelism=schedule.parallelism
                    if "parallelism" in schedule.model_fields_set
                    else None,
                    backoff_limit=schedule.backoff_limit,
                    ttl_seconds_after_finished=schedule.ttl_seconds_after_finished,
                    template=template,
                ),
            ),
        ),
        opts=place.with_options(depends_on=depends_on),
    )
