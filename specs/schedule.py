"""When a cronjob runs and how (guide: sre-cronjob)."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from specs.base import INT32_MAX, TOO_MANY, Count, Positive, Spec, checked, within
from specs.cron import SCHEDULE, TIMEZONE, check_schedule, check_timezone

# In seconds: with a shorter deadline a run may end before it is noticed (Kubernetes: CronJob,
# "Deadline for delayed Job start").
_CONTROLLER_LOOKS_EVERY = 10


def _utc_if_empty(value: object) -> object:
    return "Etc/UTC" if value == "" else value


class Schedule(Spec):
    """When a cronjob runs and how (guide: sre-cronjob)."""

    cron: Annotated[str, checked(check_schedule, SCHEDULE)] = Field(
        description="Five fields: minute, hour, day of month, month, day of week.",
        examples=['"0 2 * * *"'],
    )
    timezone: Annotated[
        str, checked(check_timezone, f"({TIMEZONE})?"), BeforeValidator(_utc_if_empty)
    ] = Field(
        "Etc/UTC",
        description="IANA time zone of the schedule.",
        examples=['"America/New_York"'],
    )
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = Field(
        "Forbid", description="What happens if the previous run is still going."
    )
    starting_deadline_seconds: Annotated[
        int,
        within(
            _CONTROLLER_LOOKS_EVERY,
            INT32_MAX,
            f"is below {_CONTROLLER_LOOKS_EVERY}, so runs would be skipped; "
            f"write {_CONTROLLER_LOOKS_EVERY} or more",
            TOO_MANY,
        ),
    ] = Field(
        300,
        description="Seconds after the scheduled time within which a run may still start. A run "
        "that cannot start in time, because the previous one is still going or the cluster "
        "is down, is skipped.",
    )
    active_deadline_seconds: Positive = Field(
        3600, description="Seconds after which a run is stopped."
    )
    completions: Positive | None = Field(
        None,
        description="Pods of a run that must succeed. If it is not set, a run ends once all its "
        "pods have ended and one of them has succeeded.",
        examples=["10"],
    )
    parallelism: Positive = Field(1, description="Pods of a run that work at once.")
    backoff_limit: Count = Field(3, description="Retries before a run counts as failed.")
    restart_policy: Literal["Never", "OnFailure"] = Field(
        "Never", description="Whether a failed container restarts in its pod."
    )
    successful_jobs_history_limit: Count = Field(
        3, description="Number of successful runs to keep."
    )
    failed_jobs_history_limit: Count = Field(3, description="Number of failed runs to keep.")
    ttl_seconds_after_finished: Count | None = Field(
        None,
        description="Seconds after which an ended run is deleted with its logs, even if it is one "
        "to keep.",
        examples=["86400"],
    )
    suspend: bool = Field(False, description="Starts no runs; one that is going on ends as usual.")

    @property
    def pods_at_once(self) -> int:
        """How many pods of one run exist at once."""
        return min(self.parallelism, self.completions or self.parallelism)
