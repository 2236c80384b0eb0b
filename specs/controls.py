"""The controls (NIST 800-53, revision 5) that each kind of object serves."""

from dataclasses import dataclass

# Their titles, as NIST has them.
CONTROLS = {
    "AC-2": "Account Management",
    "AC-3": "Access Enforcement",
    "AC-4": "Information Flow Enforcement",
    "AC-6": "Least Privilege",
    "AU-6": "Audit Record Review, Analysis, and Reporting",
    "CM-6": "Configuration Settings",
    "CM-7": "Least Functionality",
    "CP-9": "System Backup",
    "CP-10": "System Recovery and Reconstitution",
    "IA-2": "Identification and Authentication (Organizational Users)",
    "IA-5": "Authenticator Management",
    "RA-5": "Vulnerability Monitoring and Scanning",
    "SC-5": "Denial-of-service Protection",
    "SC-6": "Resource Availability",
    "SC-7": "Boundary Protection",
    "SC-28": "Protection of Information at Rest",
    "SC-39": "Process Isolation",
    "SI-4": "System Monitoring",
    "SI-7": "Software, Firmware, and Information Integrity",
    "SI-12": "Information Management and Retention",
}


@dataclass(frozen=True)
class Purpose:
    """What objects of a kind are for, and the controls that this serves; none for some."""

    text: str
    controls: tuple[str, ...] = ()


_LOGIN = Purpose("Checks who logs in to OpenBao.", ("IA-2",))
_GROUP = Purpose("Gives a Keycloak group of developers its policy in OpenBao.", ("AC-2",))
_STORE = Purpose("Reads secrets from OpenBao, with a login of its own.", ("IA-2",))
_GUARDRAIL = Purpose("Refuses objects that would undo what the platform sets.", ("CM-6", "AC-3"))
_RIGHTS = Purpose("Gives groups or accounts their rights.", ("AC-2", "AC-3", "AC-6"))

# What Deployments and CronJobs make: no object of the program, but what the hardening is about.
POD = Purpose(
    "Runs without root, privileges or capabilities, and with a read-only file system.",
    ("AC-6", "CM-6", "CM-7", "SI-7"),
)
# Kinds whose objects have a template of pods.
WITH_PODS = frozenset({"Deployment", "CronJob"})

PURPOSES = {
    "Namespace": Purpose("Keeps teams apart; says how its pods are secured.", ("CM-7", "SC-39")),
    "ResourceQuota": Purpose("Limits what all pods of the team may use.", ("SC-5", "SC-6")),
    "LimitRange": Purpose("Limits what each container may use.", ("SC-5", "SC-6")),
    "PersistentVolumeClaim": Purpose("Keeps an app's data.", ("CP-9", "SI-12")),
    "NetworkPolicy": Purpose("Lets through only the connections that it lists.", ("AC-4", "SC-7")),
    "AuthorizationPolicy": Purpose("Admits only the callers that it lists.", ("AC-3", "AC-4")),
    "ServiceEntry": Purpose("Names a host outside that apps may call.", ("AC-4", "SC-7")),
    "RoleBinding": _RIGHTS,
    "ClusterRoleBinding": _RIGHTS,
    "Project": Purpose("Keeps the team's images private, and scans them.", ("AC-3", "RA-5")),
    "RetentionPolicy": Purpose("Keeps the images that may be needed again.", ("CP-9", "SI-12")),
    "ProjectMemberGroup": Purpose("Lets a Keycloak group see or push images.", ("AC-2", "AC-3")),
    "RobotAccount": Purpose("Lets the cluster pull images, or a pipeline push them.", ("AC-2",)),
    "Mount": Purpose("Keeps secrets encrypted.", ("SC-28",)),
    "SecretV2": Purpose("Keeps a credential that the program makes.", ("IA-5", "SC-28")),
    "Policy": Purpose("Says which secrets may be read.", ("AC-2", "AC-3", "AC-6")),
    "AuthBackend": _LOGIN,
    "AuthBackendConfig": _LOGIN,
    "AuthBackendRole": Purpose("Says which ServiceAccount may log in to OpenBao.", ("AC-2",)),
    "Group": _GROUP,
    "GroupAlias": _GROUP,
    "ClusterSecretStore": _STORE,
    "SecretStore": _STORE,
    "ExternalSecret": Purpose("Brings a secret to the apps that use it.", ("IA-5",)),
    "Secret": Purpose("Holds a credential of the platform.", ("IA-5",)),
    "ConfigMap": Purpose("Has an app's files."),
    "Deployment": Purpose("Keeps an app's pods running.", ("CP-10",)),
    "CronJob": Purpose("Runs an app on schedule.", ("CP-10",)),
    "ServiceAccount": Purpose("Is the identity of an app's pods.", ("AC-2",)),
    "Service": Purpose("Gives an app its address in the cluster."),
    "VirtualService": Purpose("Brings requests for a host to an app.", ("SC-7",)),
    "HorizontalPodAutoscaler": Purpose("Starts more pods under load.", ("CP-10",)),
    "PodDisruptionBudget": Purpose("Keeps pods while nodes are drained.", ("CP-10",)),
    "PrometheusRule": Purpose("Raises alerts.", ("SI-4", "AU-6")),
    "ServiceMonitor": Purpose("Has an app's metrics read.", ("SI-4",)),
    "ValidatingAdmissionPolicy": _GUARDRAIL,
    "ValidatingAdmissionPolicyBinding": _GUARDRAIL,
}
