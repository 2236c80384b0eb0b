"""Pods that the API server refuses: by quota, LimitRange, Pod Security or a policy.

Nobody sees it on a pod, since there is none: only the ReplicaSet, the Job or the CronJob says so.
"""

import re
from collections.abc import Iterator

from specs.problem import Loc
from tools.status.app_state import AppState
from tools.status.cause import Cause, Weight
from tools.status.cluster_state import REPLICA_SETS
from tools.status.words import RESTORE, RESTORED, short

_QUOTA = re.compile(
    r"exceeded quota: (?P<name>\S+), requested: (?P<requested>\S+), used: (?P<used>\S+), "
    r"limited: (?P<limited>[^\s;]+)"
)
_BOUND = re.compile(
    r"(?P<end>maximum|minimum) (?P<resource>cpu|memory) usage per (?P<per>Container|Pod) is "
    r"(?P<bound>[^\s,\]]+), but (?P<key>limit|request) is (?P<is>[^\s,\]]+?)[.,\]]*(?:\s|$)"
)
_POD_SECURITY = re.compile(r'violates PodSecurity "(?P<level>[a-z]+):[^"]*": (?P<why>.*)', re.S)
_POLICY = re.compile(
    r"ValidatingAdmissionPolicy '(?P<name>[^']+)' with binding '[^']+' denied request: (?P<why>.*)",
    re.S,
)
_WEBHOOK = re.compile(
    r'admission webhook "(?P<name>[^"]+)" denied the request:? ?(?P<why>.*)', re.S
)
_SILENT = re.compile(r'failed calling webhook "(?P<name>[^"]+)": (?P<why>.*)', re.S)
_ACCOUNT = re.compile(r'error looking up service account [^:]+: serviceaccount "([^"]+)" not found')
_KYVERNO = re.compile(r"blocked due to the following policies\s*(?P<why>.*)", re.S)
_UNSIGNED = re.compile(
    r"no (?:matching )?signatures|signature (?:verification|mismatch)|failed to verify (?:image|"
    r"signature)|image verification failed|verifyimages|unverified image|image is not verified",
    re.I,
)
# What a policy's name or message is about, and the key for it; the first that matches counts.
_ABOUT: tuple[tuple[re.Pattern[str], Loc], ...] = (
    (re.compile(r"latest|image[- ]tag|fixed version|pinned", re.I), ("app", "image", "tag")),
    (re.compile(r"registr|repositor|images must come", re.I), ("app", "image", "repository")),
    (re.compile(r"readonlyrootfilesystem|read-only root", re.I), ("app", "writablePaths")),
    (re.compile(r"runas(?:user|group|nonroot)|run as (?:non-)?root", re.I), ("app", "runAs")),
    (re.compile(r"probe", re.I), ("app", "probes")),
    (re.compile(r"resource|limits|requests", re.I), ("app", "resources")),
)
# A quota's names of what a team's file calls otherwise.
_QUOTA_KEYS = {
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    "count/pods": ("pods",),
}
_IN_FILE = frozenset({"requests", "limits", "pods", "services", "persistentvolumeclaims"})


def causes(app: AppState) -> Iterator[Cause]:
    """Why the cluster has fewer pods than it should."""
    for message in dict.fromkeys(_refusals(app)):
        yield from _causes(app, message)
    yield from _audited(app)


def _refusals(app: AppState) -> Iterator[str]:
    """The API server's words, of the newest refusal alone: the former may have been mended."""
    if app.runs_on_schedule:
        yield from _of_runs(app)
        return
    progress = app.condition("Progressing")
    if progress.get("reason") == "ReplicaSetCreateError":  # policies look at ReplicaSets, too
        yield str(progress.get("message") or "")
        return
    wanted, replica_set = app.wanted, app.replica_set
    if replica_set:
        wanted = int(replica_set["spec"].get("replicas", wanted))
        made = int(replica_set.get("status", {}).get("replicas") or 0)
        if made >= wanted:
            return
    elif app.available >= wanted and REPLICA_SETS not in app.state.unread:
        return
    condition = app.condition("ReplicaFailure")
    if condition.get("status") == "True":
        yield str(condition.get("message") or "")
        return
    for event in app.state.events_of(replica_set):
        if event.reason == "FailedCreate":
            yield event.message
            return


def _of_runs(app: AppState) -> Iterator[str]:
    for owner in (*app.jobs[:1], app.workload):
        if owner is None or owner.get("status", {}).get("succeeded") or app.pods:
            continue
        for event in app.state.events_of(owner):
            if event.reason == "FailedCreate":
                yield event.message
                return


def _causes(app: AppState, message: str) -> Iterator[Cause]:
    if found := _QUOTA.search(message):
        yield _quota(found)
    elif bounds := list(_BOUND.finditer(message)):
        yield from (_bound(app, found) for found in bounds)
    elif found := _POD_SECURITY.search(message):
        yield Cause(
            "pod-security",
            f"Pod Security ({found['level']}) refuses its pods: {short(found['why'])}",
            f"ask for an exception, or {RESTORED}",
            ("exceptions",),
            lasting=True,
        )
    elif found := _POLICY.search(message):
        yield _policy(f"the policy {found['name']}", found["why"], found["name"])
    elif found := _WEBHOOK.search(message):
        yield _webhook(app, found["name"], found["why"])
    elif found := _SILENT.search(message):
        yield Cause(
            "webhook",
            f"the webhook {found['name']}, which every pod has to pass, does not answer "
            f"({short(found['why'])})",
            "ask the platform team",
        )
    elif found := _ACCOUNT.search(message):
        yield Cause(
            "service-account",
            f"the namespace has no ServiceAccount {found[1]}",
            RESTORE,
            ("serviceAccount",),
        )
    else:
        yield Cause("refused", f"its pods are refused: {short(message)}", "ask the platform team")


def _quota(found: re.Match[str]) -> Cause:
    """`requested: limits.cpu=2,pods=1`: what of it does not fit, and the key of the first."""
    requested, used, limited = map(_amounts, found.group("requested", "used", "limited"))
    parts = [
        f"{each}: {asked} more, {used.get(each, '0')} of {limited.get(each, '0')} used"
        for each, asked in requested.items()
    ]
    first = next(iter(requested))
    key = _QUOTA_KEYS.get(first, tuple(first.split(".")))
    return Cause(
        "quota",
        f"its pods do not fit into the quota {found['name']} ({'; '.join(parts)})",
        "request less, stop something else, or raise the quota (`./sre capacity` shows who uses "
        "it)",
        ("quota", *(key if key[0] in _IN_FILE else ())),
        of_team=True,
    )


def _amounts(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(","))
    return {resource: amount for resource, _, amount in pairs}


def _bound(app: AppState, found: re.Match[str]) -> Cause:
    key, resource = f"{found['key']}s", found["resource"]
    worse = "more" if found["end"] == "maximum" else "less"
    limits = f"{app.team.name}-limits"
    if found["per"] == "Pod":
        return Cause(
            "limit-range",
            f"a pod has a {resource} {found['key']} of {found['is']}, {worse} than the LimitRange "
            f"{limits} allows ({found['bound']})",
            "ask the platform team",
        )
    where = f"limitRange.{'max' if found['end'] == 'maximum' else 'min'}.{resource}"
    return Cause(
        "limit-range",
        f"a container's {resource} {found['key']} is {found['is']}, {worse} than the LimitRange "
        f"{limits} allows ({found['bound']}, {where})",
        "change one of the two",
        ("app", "resources", key, resource),
        lasting=True,
    )


def _webhook(app: AppState, name: str, why: str) -> Cause:
    if _UNSIGNED.search(why):
        image = app.app.app.image.reference
        return Cause(
            "image-unsigned",
            f"the webhook {name} refuses {image}, because it is not signed ({short(why)})",
            "sign it with Cosign (`cosign sign`)",
            ("app", "image", "tag"),
            lasting=True,
        )
    kyverno = _KYVERNO.search(why)
    said = kyverno["why"] if kyverno else why
    return _policy("Kyverno" if kyverno or "kyverno" in name else f"the webhook {name}", said, said)


def _policy(who: str, why: str, about: str) -> Cause:
    text = f"{about} {why}"
    loc = next((loc for pattern, loc in _ABOUT if pattern.search(text)), None)
    return Cause(
        "policy",
        f"{who} refuses its pods: {short(why)}",
        "correct it" if loc else "correct what it names, or ask the platform team",
        loc,
        lasting=True,
    )


def _audited(app: AppState) -> Iterator[Cause]:
    """What policies that only audit say of the app's objects."""
    owners = (app.workload, app.replica_set, *app.jobs[:1], *app.pods)
    for event in app.state.events_of(*owners):
        if event.reason == "PolicyViolation":
            yield Cause(
                "policy-violation",
                f"a policy that does not refuse yet is violated: {short(event.message)}",
                "correct it before it refuses",
                weight=Weight.WARNING,
            )
