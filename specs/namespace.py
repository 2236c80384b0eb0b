"""Labels and annotations of a team's namespace, checked against the stack's lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from specs.credentials import looks_like_credential
from specs.labels import ANNOTATIONS_MAX_BYTES
from specs.names import nearest
from specs.network import NetworkPolicy
from specs.problem import Finding, Loc
from specs.settings import AllowedKey, NamespaceSettings
from specs.team import Namespace, Team


def check_namespace(team: Team, stack: NamespaceSettings) -> Iterator[Finding]:
    """Report keys and values that the stack does not let a team set, and oversized annotations."""
    own = team.namespace
    yield from _check_keys("labels", own.labels, stack.allowed_labels, stack.every_label)
    yield from _check_keys(
        "annotations", own.annotations, stack.allowed_annotations, stack.annotations
    )
    yield from check_credentials(own, ("namespace",))
    annotations = {**stack.annotations, **own.annotations, "sre.io/hosts": ",".join(team.hosts)}
    size = sum(len(text.encode()) for pair in annotations.items() for text in pair)
    if size > ANNOTATIONS_MAX_BYTES:
        yield (
            ("namespace", "annotations"),
            f"the namespace's annotations take {size} bytes, but Kubernetes "
            f"allows {ANNOTATIONS_MAX_BYTES}; shorten them",
        )


def check_credentials(pairs: Namespace | NamespaceSettings, at: Loc) -> Iterator[Finding]:
    """Report labels and annotations, a team's or a stack's, whose value is a credential."""
    for what, values in (("labels", pairs.labels), ("annotations", pairs.annotations)):
        for key, value in values.items():
            if looks_like_credential("", value):
                message = "looks like a credential, and viewers can read it; store it in OpenBao"
                yield (*at, what, key), message


def check_selectors(policy: NetworkPolicy, at: Loc, stack: NamespaceSettings) -> Iterator[Finding]:
    """Namespaces selected by something that any team may have; `at` is the policy's place."""
    for loc, key in selected_labels(policy):
        if any(allowed.covers(key) for allowed in stack.allowed_labels):
            whose = "a team may set it on its namespace"
        elif key in stack.every_label:
            whose = "every team's namespace has it"
        else:
            continue
        yield (
            (*at, *loc),
            f"the label '{key}' does not identify a team: {whose}; select by "
            "kubernetes.io/metadata.name",
        )


def selected_labels(policy: NetworkPolicy) -> Iterator[tuple[Loc, str]]:
    """Each key that a namespaceSelector of the policy uses, and its place below the policy."""
    for key, peers, rules in (
        ("additionalIngress", "from", policy.additional_ingress),
        ("additionalEgress", "to", policy.additional_egress),
    ):
        for number, rule in enumerate(rules):
            for index, peer in enumerate(rule.peers):
                selector = peer.namespace_selector
                if selector is None:
                    continue
                at: Loc = (key, number, peers, index, "namespaceSelector")
                for label in selector.match_labels:
                    yield (*at, "matchLabels", label), label
                for place, expression in enumerate(selector.match_expressions):
                    yield (*at, "matchExpressions", place, "key"), expression.key


def _check_keys(
    what: str, own: Mapping[str, str], allowed: Sequence[AllowedKey], fixed: Mapping[str, str]
) -> Iterator[Finding]:
    for key, value in own.items():
        loc: Loc = ("namespace", what, key)
        covering = _closest(each for each in allowed if each.covers(key))
        if not covering and key in fixed:
            yield loc, f"the stack sets it to '{fixed[key]}' on every namespace; remove it"
        elif not covering:
            keys = [each.key for each in allowed]
            hint = nearest(key, (each for each in keys if not each.endswith("*")))
            do = f"did you mean {hint}?" if hint else "remove it, or ask the platform team"
            listed = ", ".join(keys) or "none"
            yield loc, f"is not one of the {what} that this stack allows ({listed}); {do}"
        elif all(each.values and value not in each.values for each in covering):
            values = [value for each in covering for value in each.values]
            hint = nearest(value, values)
            do = f"did you mean {hint}?" if hint else "use one of them"
            yield loc, f"'{value}' is not one of {', '.join(values)}; {do}"


def _closest(covering: Iterable[AllowedKey]) -> list[AllowedKey]:
    """The entry that decides among those that cover a key; several if a key is repeated."""
    entries = list(covering)
    closest = max((each.closeness for each in entries), default=None)
    return [each for each in entries if each.closeness == closest]
