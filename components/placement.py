"""Where an app's pods run: spread over nodes and zones, so that losing one loses few pods.

NIST 800-53 CP-10, SC-5.
"""

from pulumi_kubernetes.core.v1 import TopologySpreadConstraintArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs

from components.metadata import app_selector
from specs.app import BaseApp, CronJob
from specs.settings import Settings


def spread(app: BaseApp, settings: Settings) -> list[TopologySpreadConstraintArgs] | None:
    """A preference: pods that cannot be spread run all the same.

    Only pods of the same version count (`matchLabelKeys`): those that a rollout is about to end say
    nothing about where the new ones should be.
    """
    if isinstance(app, CronJob):
        return None
    return [
        TopologySpreadConstraintArgs(
            max_skew=1,
            topology_key=label,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=LabelSelectorArgs(match_labels=app_selector(app)),
            match_label_keys=["pod-template-hash"],
        )
        for label in settings.kubernetes.spread_over
    ] or None
