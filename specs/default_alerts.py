"""The alerts that every app and every team gets, with their thresholds (guide: Alerts)."""

from typing import Annotated, Literal

from pydantic import Field

from specs.base import Duration, Positive, Spec, within

_NO_PERCENTAGE = "is not a percentage; write 1 to 100"
Percent = Annotated[int, within(1, 100, _NO_PERCENTAGE, _NO_PERCENTAGE)]
Severity = Literal["info", "warning", "critical"]

_ENABLED = "Creates the alert `{}`."
_FOR = "How long the condition must hold before the alert fires."
_SEVERITY = "Urgency; determines who is notified."


class DefaultAlert(Spec):
    """What all of them have in common."""

    enabled: bool
    for_: Duration
    severity: Severity


class Unavailable(DefaultAlert):
    """Too few of the app's pods are available."""

    enabled: bool = Field(True, description=_ENABLED.format("AppUnavailable"))
    percent: Percent = Field(
        50, description="Fires if less than this percentage of the wanted pods is available."
    )
    for_: Duration = Field("5m", alias="for", description=_FOR)
    severity: Severity = Field("critical", description=_SEVERITY)


class CrashLooping(DefaultAlert):
    """A container of the app's pods restarts again and again."""

    enabled: bool = Field(True, description=_ENABLED.format("AppCrashLooping"))
    restarts: Positive = Field(
        3, description="Fires after this many restarts of a container within 30 minutes."
    )
    for_: Duration = Field("0s", alias="for", description=_FOR)
    severity: Severity = Field("warning", description=_SEVERITY)


class MemoryNearLimit(DefaultAlert):
    """The app's container has almost reached its memory limit."""

    enabled: bool = Field(True, description=_ENABLED.format("AppMemoryNearLimit"))
    percent: Percent = Field(90, description="Fires above this percentage of the memory limit.")
    for_: Duration = Field("15m", alias="for", description=_FOR)
    severity: Severity = Field("warning", description=_SEVERITY)


class CertificateExpires(DefaultAlert):
    """The mesh does not renew the certificate of a pod.

    With `metrics.scrape: merged` alone, which has Prometheus read the sidecar's agent.
    """

    enabled: bool = Field(True, description=_ENABLED.format("AppCertificateExpires"))
    hours: Positive = Field(
        2,
        description="Fires if a certificate expires in fewer than this many hours. Istio issues "
        "them for 24 hours, and renews them after half of that.",
    )
    for_: Duration = Field("5m", alias="for", description=_FOR)
    severity: Severity = Field("critical", description=_SEVERITY)


class ExceptionEnds(DefaultAlert):
    """One of the app's exceptions is about to end."""

    enabled: bool = Field(True, description=_ENABLED.format("AppExceptionEnds"))
    days: Positive = Field(
        14, description="Fires if an exception ends in fewer than this many days."
    )
    for_: Duration = Field("0s", alias="for", description=_FOR)
    severity: Severity = Field("warning", description=_SEVERITY)


class JobFailed(DefaultAlert):
    """The last run that ended has failed."""

    enabled: bool = Field(True, description=_ENABLED.format("JobFailed"))
    for_: Duration = Field("0s", alias="for", description=_FOR)
    severity: Severity = Field("warning", description=_SEVERITY)


class JobMissed(DefaultAlert):
    """A run has not started when it should have."""

    enabled: bool = Field(True, description=_ENABLED.format("JobMissed"))
    minutes: Positive = Field(
        15, description="Fires if a run is more than this many minutes late, for a day at most."
    )
    for_: Duration = Field("0s", alias="for", description=_FOR)
    severity: Severity = Field("warning", description=_SEVERITY)


class DefaultAlerts(Spec):
    """Alerts of every app."""

    memory_near_limit: MemoryNearLimit = Field(
        MemoryNearLimit(),
        description="The app's container has almost reached its memory limit.",
    )
    exception_ends: ExceptionEnds = Field(
        ExceptionEnds(), description="One of the app's `exceptions` is about to end."
    )


class RunningAlerts(DefaultAlerts):
    """Alerts of a web-app or worker."""

    unavailable: Unavailable = Field(
        Unavailable(), description="Too few of the app's pods are available."
    )
    crash_looping: CrashLooping = Field(
        CrashLooping(), description="A container of the app's pods restarts again and again."
    )
    certificate_expires: CertificateExpires = Field(
        CertificateExpires(),
        description="The mesh does not renew the certificate of a pod. Only with `metrics.scrape: "
        "merged` in the stack, and if the app's metrics are read.",
    )


class JobAlerts(DefaultAlerts):
    """Alerts of a cronjob."""

    job_failed: JobFailed = Field(JobFailed(), description="The last run that ended has failed.")
    job_missed: JobMissed = Field(
        JobMissed(), description="A run has not started when it should have."
    )


class QuotaNearlyUsed(DefaultAlert):
    """The namespace has nearly used a limit of its quota."""

    enabled: bool = Field(True, description=_ENABLED.format("QuotaNearlyUsed"))
    percent: Percent = Field(90, description="Fires above this percentage of any limit in `quota`.")
    for_: Duration = Field("15m", alias="for", description=_FOR)
    severity: Severity = Field("warning", description=_SEVERITY)


class TeamAlerts(Spec):
    """Alerts about the team's namespace as a whole."""

    quota_nearly_used: QuotaNearlyUsed = Field(
        QuotaNearlyUsed(), description="Almost all of a limit in `quota` is used."
    )
