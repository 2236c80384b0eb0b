"""The findings that a reviewer must not miss: controls, text, and who must review each kind."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class ReviewRule:
    """A kind of finding: NIST 800-53 controls (revision 5), and what the finding says.

    `second`: whether the change needs a second reviewer; otherwise it is a note.
    """

    id: str
    controls: tuple[str, ...]
    says: str
    second: bool = True


class Rules(Enum):
    """All kinds of findings, in the order of a review."""

    EXCEPTION = ReviewRule(
        "exception", ("CM-6",), "an exception from the hardening is new, extended or changed"
    )
    LIFECYCLE = ReviewRule("lifecycle", ("AC-2",), "the team's lifecycle changes")
    RENAMED = ReviewRule(
        "renamed", ("CM-3", "CP-9"), "looks like a rename, and objects cannot be renamed"
    )
    DATA_DESTROYED = ReviewRule(
        "data-destroyed", ("CP-9", "SI-12"), "an object that holds data is destroyed with its data"
    )
    DESTROYED = ReviewRule("destroyed", ("CM-3",), "destroyed")
    REPLACED = ReviewRule("replaced", ("CM-3", "CP-10"), "destroyed and recreated")
    UNPROTECTED = ReviewRule("protection-removed", ("CM-5", "SI-12"), "protection removed")
    VOLUME = ReviewRule(
        "volume-fixed",
        ("CP-9", "CM-3"),
        "a volume neither shrinks nor changes its class or mode, so `up` refuses",
    )
    FEWER_KEPT = ReviewRule("fewer-kept", ("CP-9", "SI-12"), "images are deleted sooner")
    NETWORK = ReviewRule("network-wider", ("SC-7",), "network access widened")
    ISOLATION = ReviewRule(
        "network-isolation-lost", ("SC-7",), "pods no longer deny traffic by default"
    )
    MESH_WIDER = ReviewRule(
        "mesh-wider", ("AC-4", "SC-7"), "the mesh admits more callers, or admits them to more"
    )
    MESH_AUDIT = ReviewRule(
        "mesh-audit", ("AC-4", "SC-7"), "the mesh only records callers that it refused before"
    )
    HOST_OUTSIDE = ReviewRule(
        "host-outside",
        ("SC-7", "AC-4"),
        "a team's sidecars know another host or range outside the mesh",
    )
    NETWORK_OPENED = ReviewRule(
        "network-opened", ("SC-7", "AC-4"), "a setting opens the network for many apps at once"
    )
    HOST = ReviewRule(
        "host-new", ("SC-7",), "reachable from outside under a new host, path or gateway"
    )
    CORS = ReviewRule(
        "cors-wider", ("SC-7", "AC-4"), "pages of other sites may call an app from a browser"
    )
    PLATFORM_HOST = ReviewRule(
        "platform-host", ("SC-7", "SC-23"), "a platform host is released, or used by a team"
    )
    SERVICE = ReviewRule(
        "service-exposed", ("SC-7",), "a Service is exposed outside the cluster's network"
    )
    MESH = ReviewRule("mesh-left", ("SC-8",), "traffic is no longer encrypted by the mesh")
    REDIRECT = ReviewRule(
        "redirect-plain", ("SC-8",), "callers are sent on to an address without encryption"
    )
    TLS = ReviewRule("tls-unverified", ("SC-8", "SC-23"), "a server's certificate is not verified")
    GROUP = ReviewRule("group-let-in", ("AC-3", "AC-2"), "another group or account gets access")
    ROLE = ReviewRule("role-granted", ("AC-3", "AC-6"), "a role other than edit or view is granted")
    RIGHTS = ReviewRule("rights-wider", ("AC-6",), "more rights")
    ACCOUNT = ReviewRule("account-enabled", ("AC-2",), "an account is enabled again")
    CREDENTIAL = ReviewRule("credential-longer", ("IA-5",), "a credential or login lives longer")
    LOGIN = ReviewRule(
        "login-checked-otherwise", ("IA-2", "AC-3"), "logins or stores of secrets change"
    )
    SECRET_READ = ReviewRule("secret-read", ("AC-6", "IA-5"), "a secret is newly read")
    SECRET_PLAIN = ReviewRule("secret-plain", ("SC-28",), "a secret is no longer stored as one")
    TOKEN = ReviewRule("token-mounted", ("AC-6",), "pods get another identity, or its token")
    IMAGE = ReviewRule("image-repository", ("CM-7", "SR-11"), "an image from a new repository")
    SIGNATURES = ReviewRule("signatures-off", ("SI-7", "CM-14"), "signature enforcement is off")
    SCAN = ReviewRule("scan-off", ("RA-5", "SI-3"), "vulnerability scans are off")
    PUBLIC = ReviewRule("registry-public", ("AC-3", "AC-14"), "anyone can pull images")
    POD = ReviewRule("pod-weaker", ("CM-7", "AC-6"), "a pod's hardening is weaker")
    POD_SECURITY = ReviewRule("pod-security-lower", ("CM-7", "SC-39"), "Pod Security is lower")
    GUARDRAIL = ReviewRule("guardrail", ("CM-6", "AC-3"), "a platform policy is changed or removed")
    QUOTA = ReviewRule("quota-raised", ("SC-6", "SC-5"), "quota or limit raised")
    NO_LIMIT = ReviewRule("limit-removed", ("SC-6", "SC-5"), "no quota or limit on a resource")
    NAMESPACE = ReviewRule(
        "namespace-label", ("AC-16", "CM-6"), "a label or annotation that policies may use"
    )
    MONITORING = ReviewRule("alert-removed", ("SI-4", "AU-6"), "an alert is removed")
    NEW_TEAM = ReviewRule("team-new", ("AC-2", "CM-3"), "a new team")
    ADOPTED = ReviewRule("adopt", ("CM-3", "CM-8"), "existing objects are taken over")
    OTHER_STACK = ReviewRule("stack-not-shown", ("CM-3",), "another stack's settings change")
    OVERRIDE = ReviewRule("setting-override", ("CM-6",), "a stack's setting replaces its cluster's")
    SETTING = ReviewRule("setting", ("CM-6",), "a stack setting that no rule covers")
    SUPPLY = ReviewRule("supply-chain", ("SR-3", "CM-3"), "the program's build or runtime changes")
    UNKNOWN = ReviewRule("unclassified", ("CM-3",), "a change that no rule covers")
    EXCEPTION_ENDED = ReviewRule(
        "exception-ended",
        ("CM-6",),
        "an exception from the hardening ends, or ends sooner",
        second=False,
    )
    CODE = ReviewRule(
        "platform-code", ("CM-3", "SA-10"), "platform code or defaults change", second=False
    )
    OLDER = ReviewRule(
        "image-older",
        ("SI-2", "CP-9"),
        "an image goes back to an older version, which retention may have deleted",
        second=False,
    )
    LESS_SPARE = ReviewRule("less-spare", ("CP-10", "SC-5"), "fewer standby pods", second=False)
    PROBE_OFF = ReviewRule(
        "probe-off", ("CP-10", "SC-5"), "a pod is no longer probed", second=False
    )
    WRITABLE = ReviewRule(
        "writable-path", ("SI-7", "CM-7"), "a path becomes writable", second=False
    )
    BEHAVIOUR = ReviewRule(
        "behaviour", ("CM-3", "CM-6"), "a command or plain setting", second=False
    )
    NETWORK_CLOSED = ReviewRule(
        "network-closed",
        ("SC-7", "AC-4"),
        "a setting closes the network for many apps at once",
        second=False,
    )
    NARROWER = ReviewRule(
        "mesh-narrower", ("SC-7", "AC-4"), "the mesh lets less through", second=False
    )
    WORD = ReviewRule(
        "network-word", ("SC-7",), "`calls` or `callers` can replace a new rule", second=False
    )
    KEPT = ReviewRule(
        "volume-kept",
        ("CP-9", "SI-12"),
        "a volume that no app uses any more stays with its data",
        second=False,
    )
    ALERT = ReviewRule("alert-changed", ("SI-4",), "monitoring changes", second=False)


ORDER = {rule: position for position, rule in enumerate(Rules)}


@dataclass(frozen=True)
class ReviewFinding:
    """One finding: its place and its details.

    `team` and `app` are "" for the platform, and for what belongs to no app; `object` is the key of
    an object, "" if it is about none or several.
    """

    rule: Rules
    team: str
    app: str
    object: str
    detail: str
    controls: tuple[str, ...]

    @property
    def needs_second(self) -> bool:
        """Whether it needs a second reviewer."""
        return self.rule.value.second
