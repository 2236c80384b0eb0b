"""How traffic reaches a team."""

from components.guardrails.policy import SPEC_CHANGES, Policy, PolicyRule


def policy() -> Policy:
    """Traffic reaches a team only through the gateway, and its names belong to its own pods."""
    return Policy(
        "sre-services",
        resources={"": ["services"]},
        conditions=SPEC_CHANGES,
        rules=[
            PolicyRule(
                # An ExternalName would lead through the gateway to another team's Service.
                "object.spec.type == 'ClusterIP'",
                "Services must be of type ClusterIP; for access from outside, use apps[].ingress "
                "in the team's file",
            ),
            PolicyRule(
                # Traffic for that address, no matter whose, would come here (CVE-2020-8554).
                "object.spec.?externalIPs.orValue([]).size() == 0",
                "externalIPs are not allowed; for access from outside, use apps[].ingress in the "
                "team's file",
            ),
        ],
    )
