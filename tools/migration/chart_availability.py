"""How charts spell what keeps an app available, in the spelling of a team's file."""

from collections.abc import Mapping

from tools.migration.value import Value

_BLOCKS = {
    "updateStrategy": "strategy",
    "deploymentStrategy": "strategy",
    "pdb": "podDisruptionBudget",
    "hpa": "autoscaling",
}
_BUDGET = {"create": "enabled"}
_AUTOSCALING = {
    "targetCPU": "targetCPUUtilization",
    "targetCPUUtilizationPercentage": "targetCPUUtilization",
    "targetMemory": "targetMemoryUtilization",
    "targetMemoryUtilizationPercentage": "targetMemoryUtilization",
}


def respell_availability(entry: Value) -> None:
    """Rename keys, and write a Deployment's `rollingUpdate` where the file has its keys."""
    _rename(entry, _BLOCKS)
    for block, names in (("podDisruptionBudget", _BUDGET), ("autoscaling", _AUTOSCALING)):
        if value := entry.mapping((block,)):
            _leave_out_empty(value)
            _rename(value, names)
    if rolling := entry.mapping(("strategy", "rollingUpdate")):
        entry.remove(("strategy", "rollingUpdate"))
        entry.data["strategy"].data.update(rolling.data)


def _rename(holder: Value, names: Mapping[str, str]) -> None:
    """Rename keys whose own names are not taken; the others stay, and are reported."""
    names = {
        old: new for old, new in names.items() if old in holder.data and new not in holder.data
    }
    holder.data = {names.get(key, key): value for key, value in holder.data.items()}


def _leave_out_empty(holder: Value) -> None:
    """In charts, `minAvailable: ""` is no value."""
    holder.data = {key: value for key, value in holder.data.items() if value.data != ""}
