"""The platform's own hosts: those given up, and those that a team uses (NIST 800-53 SC-7)."""

from collections.abc import Iterator

from specs.hosts import covers, overlap
from specs.labels import HOSTS_ANNOTATION
from specs.settings import Settings
from tools.review.rendered_objects import Side
from tools.review.review_findings import ReviewFinding, Rules


def platform_hosts(
    stack: str, before: Settings, after: Settings, head: Side
) -> Iterator[ReviewFinding]:
    """Hosts that belonged to the platform in the base and no longer do, and who uses them."""
    kept, former = after.platform_owned_hosts, before.platform_owned_hosts
    left = [own for own in sorted(former) if not any(covers(each, own) for each in kept)]
    for own in left:
        yield _finding(f"{own}, by sre-platform:{former[own]} of stack {stack} until now")
    for host, team in sorted(_taken(head)):
        if any(overlap(host, own) for own in left):
            yield _finding(f"{host} now routes to {team}", team)


def _taken(head: Side) -> set[tuple[str, str]]:
    """Hosts, each with the team that uses it."""
    return {
        (host, each.team)
        for each in head.of("Namespace")
        for host in (each.get("metadata.annotations") or {}).get(HOSTS_ANNOTATION, "").split(",")
        if host
    }


def _finding(detail: str, team: str = "") -> ReviewFinding:
    rule = Rules.PLATFORM_HOST
    return ReviewFinding(rule, team, "", "", detail, rule.value.controls)
