"""Files of teams as hypothesis draws them: quantities in every form, quotas that nearly suffice."""

from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import strategies as st

from tests.ledger import KINDS, PERIODS, Ledger, value

_MEBIBYTE = 2**20
Written = st.SearchStrategy[str | int | float]

# PodDisruptionBudgets; `_budget` takes those that let no pod go for others.
_BUDGETS = (
    {},
    {"enabled": False},
    {"minAvailable": 2},
    {"minAvailable": "50%"},
    {"maxUnavailable": 1},
    {"maxUnavailable": "1%"},
)

_STRATEGIES = (
    {"type": "Recreate"},
    {"maxSurge": 0},
    {"maxSurge": 1, "maxUnavailable": 0},
    {"maxSurge": 4},
    {"maxSurge": "34%"},
    {"type": "RollingUpdate", "maxSurge": "100%", "maxUnavailable": "50%"},
)


def cpu(least: int, most: int) -> Written:
    """From so many thousandths to so many."""
    forms = ("{}m", "{}000u", "{}e-3", "+{}.0m")
    texts = st.builds(str.format, st.sampled_from(forms), st.integers(least, most))
    numbers = st.integers(least, most).map(lambda units: units / 1000)
    return texts | numbers | numbers.map(str)


def memory(least: int, most: int) -> Written:
    """From so many MiB to so many."""
    low, high = least * _MEBIBYTE, most * _MEBIBYTE
    scales = {"Mi": _MEBIBYTE, "Ki": 1024, "k": 1000, "M": 10**6, "e3": 1000, "": 1, ".0": 1}
    texts = [
        st.integers(-(-low // scale), high // scale).map(lambda count, unit=unit: f"{count}{unit}")
        for unit, scale in scales.items()
    ]
    fractions = st.integers(-(-low * 64 // 2**30), high * 64 // 2**30).map(
        lambda count: f"{count / 64}Gi"
    )
    return st.one_of(st.integers(low, high), fractions, *texts)


def _amounts(cpus: Written, memories: Written) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={"cpu": cpus, "memory": memories})


_REQUESTS = _amounts(cpu(20, 600), memory(16, 600))
_LIMITS = _amounts(cpu(20, 2500), memory(16, 2000))


def _ordered(given: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """As drawn, but what would request more than its limit taken out."""
    for name in ("cpu", "memory"):
        request, limit = ({**default[kind], **given[kind]}[name] for kind in ("requests", "limits"))
        if value(request) > value(limit):
            given["requests"].pop(name, None)
            given["limits"].pop(name, None)
    return given


@st.composite
def proxies(draw: st.DrawFn) -> dict[str, Any] | None:
    """`istio.proxy` of a stack, None for Istio's own."""
    if draw(st.booleans()):
        return None
    own = {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }
    return _ordered({"requests": draw(_REQUESTS), "limits": draw(_LIMITS)}, own)


@st.composite
def teams(draw: st.DrawFn, proxy: dict[str, Any] | None) -> dict[str, Any]:
    """A sound file, but for its quota."""
    default = {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }
    given = _ordered({"requests": draw(_REQUESTS), "limits": draw(_LIMITS)}, default)
    default = {kind: {**default[kind], **given[kind]} for kind in default}
    file: dict[str, Any] = {
        "team": "team-alpha",
        "limitRange": {
            "default": given["limits"],
            "defaultRequest": given["requests"],
            "max": {"cpu": 4, "memory": "4Gi"},
            "min": {"cpu": None, "memory": None} | draw(_amounts(cpu(1, 20), memory(1, 16))),
        },
        "apps": [draw(_entries(number, default)) for number in range(draw(st.integers(0, 4)))],
    }
    if draw(st.integers(0, 9)) == 0:
        file["lifecycle"] = draw(st.sampled_from(["suspended", "offboarding"]))
    return file | {"quota": draw(_quotas(Ledger(file, proxy)))}


@st.composite
def _entries(draw: st.DrawFn, number: int, default: dict[str, Any]) -> dict[str, Any]:
    archetype = draw(st.sampled_from(["web-app", "worker", "cronjob"]))
    app: dict[str, Any] = {
        "name": f"app-{number}",
        "image": {"repository": "harbor.sre.internal/team-alpha/app", "tag": "v1.0.0"},
        "resources": _ordered({"requests": draw(_REQUESTS), "limits": draw(_LIMITS)}, default),
    }
    sizes = draw(st.lists(memory(1, 10_000), max_size=2))
    app["volumes"] = [
        {"name": f"v{index}", "path": f"/v{index}", "size": size, "accessMode": "ReadWriteMany"}
        for index, size in enumerate(sizes)
    ]
    entry = {"archetype": archetype, "app": app}
    if archetype != "web-app" and draw(st.booleans()):
        entry["serviceMonitor"] = {"enabled": draw(st.booleans())}
    if archetype == "cronjob":
        entry["schedule"] = {"cron": draw(st.sampled_from(sorted(PERIODS)))} | draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "concurrencyPolicy": st.sampled_from(["Allow", "Forbid", "Replace"]),
                    "activeDeadlineSeconds": st.integers(1, 4000),
                    "completions": st.integers(1, 4),
                    "parallelism": st.integers(1, 6),
                    "suspend": st.sampled_from([False, False, False, True]),
                },
            )
        )
        return entry
    if draw(st.booleans()):
        app["replicas"] = draw(st.integers(0, 13))
    if draw(st.booleans()):
        least = draw(st.integers(1, 9))
        entry["autoscaling"] = {"minReplicas": least, "maxReplicas": draw(st.integers(least, 13))}
        entry["autoscaling"]["enabled"] = draw(st.booleans())
    if draw(st.booleans()):
        entry["strategy"] = draw(st.sampled_from(_STRATEGIES))
    rest = Ledger({"apps": [entry]}, None).apps[0].rest
    fitting = [budget for budget in _BUDGETS if rest == 0 or lets_go(budget, rest)]
    return entry | {"podDisruptionBudget": draw(st.sampled_from(fitting))}


def lets_go(budget: dict[str, Any], pods: int) -> bool:
    """Whether a node can be drained while there are so many."""
    may_go = budget.get("maxUnavailable")
    bound = may_go if may_go is not None else budget.get("minAvailable", 1)
    if isinstance(bound, str):
        bound = ceil(Fraction(bound.rstrip("%")) / 100 * pods)
    lets_one_go = bound < pods if may_go is None else bound > 0
    return not budget.get("enabled", True) or lets_one_go


@st.composite
def _quotas(draw: st.DrawFn, ledger: Ledger) -> dict[str, Any]:
    """Near what is needed, or what full scale takes."""
    quota: dict[str, Any] = {"requests": {}, "limits": {}}
    near = st.sampled_from([ledger.rest, ledger.needed, ledger.full])
    share = st.sampled_from([Fraction(text) for text in ("1/3", "4/5", "1", "1", "1", "2")])
    for kind, name in KINDS:
        unit = Fraction(1, 1000) if name == "cpu" else Fraction(1)
        units = draw(near)()[f"{kind}.{name}"] * draw(share) // unit + draw(st.integers(-1, 1))
        count = max(int(units), 1 if name == "cpu" else _MEBIBYTE)
        quota[kind][name] = f"{count}m" if name == "cpu" else count
        if not draw(st.integers(0, 9)):
            quota[kind][name] = None
    for key in ("pods", "services"):
        quota[key] = max(0, int(draw(near)()[key] * draw(share)) + draw(st.integers(-1, 1)))
        if not draw(st.integers(0, 9)):
            quota[key] = None
    return {key: amount for key, amount in quota.items() if draw(st.integers(0, 5))}
