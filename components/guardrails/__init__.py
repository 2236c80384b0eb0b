"""What RBAC cannot prevent in the teams' namespaces: ValidatingAdmissionPolicies, in CEL.

NIST 800-53 AC-3, AC-4, CM-7. Anyone who may change the Namespace itself counts as the platform, and
passes them all.
"""

import pulumi

from components.guardrails import hosts, labels, platform_only, pods, secrets, services
from components.guardrails.policy import register
from specs.settings import Settings


def guardrails(settings: Settings, parent: pulumi.Resource) -> None:
    """The policies and their bindings, each pair with the same name."""
    for policy in (
        platform_only.policy(settings),
        secrets.policy(),
        pods.images(settings),
        pods.scheduling(),
        labels.policy(),
        services.policy(),
        hosts.policy(settings),
    ):
        register(policy, settings, pulumi.ResourceOptions(parent=parent))
