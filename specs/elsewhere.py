"""Keys that Kubernetes, Istio, Prometheus or Helm charts have but a team's file does not.

They are not typos of the file's own keys, however similar they look. Tests compare the tables with
the published schemas.
"""

from collections.abc import Mapping

from pydantic import BaseModel

from specs import network, team
from specs.app import BaseApp, ServiceAccount
from specs.availability import Autoscaling, PodDisruptionBudget, ScalingRules, Strategy
from specs.calls import Call, Caller
from specs.container import Container, ResourceLimits, ResourceRequests, Resources
from specs.env_vars import EnvFrom, EnvVar
from specs.exceptions import HardeningException
from specs.image import Image
from specs.ingress import (
    Cors,
    Ingress,
    IngressPath,
    OriginMatch,
    Redirect,
    Retries,
    Rewrite,
)
from specs.monitoring import Alert, ServiceMonitor
from specs.mounts import File, SecretFiles, WritablePath
from specs.ports import AppPort
from specs.probes import ExecAction, GrpcAction, Probe, TcpAction, WebAppProbes, WorkerProbes
from specs.process import InitStep, PreStop, PreStopExec, RunAs
from specs.schedule import Schedule
from specs.settings import ClusterSettings, StackSettings
from specs.volumes import Volume

_REMOVE = "remove it"
_OF_A_STACK = "move it to the stacks' own files, Pulumi.<stack>.yaml"
_NO_DEVICE = "no pod gets a device of its node; remove it"


def instead(owner: type[BaseModel], key: str) -> str | None:
    """What to do about a key that `owner` does not have and another system has at such a place."""
    return next((_KEYS[each][key] for each in owner.__mro__ if key in _KEYS.get(each, ())), None)


def _table(*groups: Mapping[str, str]) -> dict[str, str]:
    """What to do, by key, from groups of keys that are each written as one string."""
    return {key: do for group in groups for keys, do in group.items() for key in keys.split()}


_OBJECT = {
    "apiVersion kind metadata spec status": "write the keys of the reference without this envelope"
}

# Keys of a pod, its workload or a chart's values; authors write them beside `app` or in it.
_WORKLOAD = _table(
    _OBJECT,
    {
        "values release releaseName chart": "paste only what is under the HelmRelease's `values`",
        "global nameOverride fullnameOverride namespace namespaceOverride commonLabels": (
            "objects are named by `app.name`; remove it"
        ),
        "annotations labels podAnnotations podLabels template selector": (
            "the platform sets labels and annotations; remove it"
        ),
        "securityContext podSecurityContext containerSecurityContext": (
            "each pod is hardened; use `app.runAs` for its user and groups and `app.writablePaths` "
            "for a path to write to, or remove it"
        ),
        "capabilities readOnlyRootFilesystem sysctls": (
            "each pod is hardened; remove it, or have it approved and list it in `exceptions`"
        ),
        "privileged allowPrivilegeEscalation runAsNonRoot seccompProfile": (
            "each pod is hardened, without exception; remove it"
        ),
        "runAsUser runAsGroup fsGroup user uid gid": "use `app.runAs`",
        "entrypoint entryPoint": "use `app.command`",
        "cmd": "use `app.args`",
        "hostIPC hostNetwork hostPID hostUsers hostAliases hostname hostnameOverride subdomain "
        "setHostnameAsFQDN shareProcessNamespace os runtimeClassName": (
            "a pod shares nothing with its node; remove it"
        ),
        "affinity nodeAffinity podAntiAffinity nodeName nodeSelector tolerations overhead "
        "schedulerName schedulingGates schedulingGroup priority "
        "priorityClassName preemptionPolicy": "the platform places the pods; remove it",
        "topologySpreadConstraints": "pods are spread over nodes and zones; remove it",
        "dnsConfig dnsPolicy enableServiceLinks readinessGates resizePolicy stdin stdinOnce tty "
        "terminationMessagePath terminationMessagePolicy workingDir restartPolicyRules": _REMOVE,
        "resourceClaims": _NO_DEVICE,
        "accessPolicy network": (
            "use `calls` for what the app connects to, `callers` for who calls it"
        ),
        "outbound egress dependencies": "use `calls`",
        "inbound allowedCallers": "use `callers`",
        "lifecycle lifecycleHooks": "use `app.preStop`",
        "postStart": "have the app's own command do it",
        "automountServiceAccountToken": "pods get no token; remove it",
        "serviceAccountName": "an app has its own ServiceAccount; use `serviceAccount.create`",
        "imagePullSecrets": "the platform provides the pull secret; remove it",
        "pullPolicy imagePullPolicy": "use `app.image.pullPolicy`",
        "containers sidecars extraContainers ephemeralContainers": (
            "an app has one container; write a second one as another app"
        ),
        "initContainers extraInitContainers": "use `app.init`",
        "emptyDir tmpDirs": "use `app.writablePaths` for paths that a pod writes to",
        "volumeMounts volumeDevices extraVolumes extraVolumeMounts": (
            "use `app.volumes` for data that outlives a pod, `app.writablePaths` for other paths "
            "that it writes to, `app.files` and `app.secretFiles` for files"
        ),
        "persistence persistentVolumeClaim persistentVolumeClaims pvc pvcs storage "
        "volumeClaimTemplates": "use `app.volumes`",
        "extraEnv extraEnvVars envVars environment": ("use `app.env`, with one entry per variable"),
        "config configMap configMaps configFiles configMapMounts extraConfigMapMounts": (
            "use `app.env` for variables, `app.files` for files"
        ),
        "extraEnvFrom extraEnvVarsSecret": "use `app.envFrom`",
        "existingSecret secretName secrets externalSecret externalSecrets": (
            "use `app.env[].secretRef`, `app.envFrom` or `app.secretFiles`"
        ),
        "secretMounts extraSecretMounts": "use `app.secretFiles`",
        "restartPolicy": "pods restart by themselves, a cronjob's by `schedule.restartPolicy`",
        "activeDeadlineSeconds": "it applies to cronjobs; use `schedule.activeDeadlineSeconds`",
        "suspend completions parallelism ttlSecondsAfterFinished": (
            "it applies to cronjobs; write it under `schedule`"
        ),
        "replicaCount": "use `app.replicas`",
        "containerPort targetPort": "use `app.port` of a web-app, or `serviceMonitor.port`",
        "ports containerPorts extraPorts extraContainerPorts": (
            "use `app.ports` of a web-app, or `serviceMonitor.port`"
        ),
        "service services": (
            "a web-app's Service is for the cluster alone; use `app.servicePort` for its port"
        ),
        "websocket websockets": "WebSockets need nothing; remove it",
        "appProtocol backendProtocol": "use `app.protocol`",
        "livenessProbe": "use `app.probes.liveness`",
        "readinessProbe": "use `app.probes.readiness`",
        "startupProbe": "use `app.probes.startup`",
        "updateStrategy deploymentStrategy rollingUpdate strategyType": "use `strategy`",
        "minReadySeconds paused progressDeadlineSeconds revisionHistoryLimit": (
            "Kubernetes' default applies; remove it"
        ),
        "hpa horizontalPodAutoscaler": "use `autoscaling`",
        "pdb disruptionBudget": "use `podDisruptionBudget`",
        "virtualService gateway route httpRoute": "use `ingress`",
        "metrics podMonitor prometheus": "use `serviceMonitor`",
        "prometheusRule prometheusRules rules": "use `alerts`",
        "istio sidecar destinationRule authorizationPolicy peerAuthentication": (
            "the platform manages the mesh; remove it"
        ),
        "rbac role roles clusterRole": "an app gets no rights in the cluster; remove it",
        "cronjob cronJob job": "use `schedule`",
    },
)

_PROBES = _table(
    {
        "startupProbe": "use `startup`",
        "livenessProbe": "use `liveness`",
        "readinessProbe": "use `readiness`",
    }
)
_PROBE = _table(
    {
        "httpGet": "write its `path` and `port` here",
        "tcpSocket": "use `tcp`",
        "command": "write it under `exec`",
        "terminationGracePeriodSeconds": "the pod's applies; remove it",
        "scheme": "a probe is sent over plain HTTP; remove it, or use `tcp`",
        "host httpHeaders": "a probe is sent to the pod as it is; remove it",
        "disabled": "use `enabled: false` with a `reason`",
    }
)

_UNCOUNTED = _table(
    {
        "ephemeral-storage hugepages-2Mi hugepages-1Gi": (
            "only cpu and memory are counted; remove it"
        ),
        "gpu nvidia.com/gpu amd.com/gpu": _NO_DEVICE,
    }
)
_RESOURCE_LIST = _UNCOUNTED | _table({"storage": "only cpu and memory are counted; remove it"})

_VALUE_FROM = "use `secretRef` for a secret, `value` for text; a pod's own fields have no key"

# By the model of the mapping that contains the key.
_KEYS: dict[type, dict[str, str]] = {
    ClusterSettings: _table(
        {" ".join(each.alias or "" for each in StackSettings.model_fields.values()): _OF_A_STACK}
    ),
    team.Team: _table(
        _OBJECT,
        {
            "name": "use `team`",
            "roleBindings rbac": "use `access`",
            "resourceQuota hard": "use `quota`",
            "limits limitRanges": "use `limitRange`",
            "harbor project": "use `registry`",
            "networkPolicies": "an app has its own rules; use `apps[].networkPolicy`",
        },
    ),
    team.Access: _table({"roleRef subjects": "name the groups in `developers` and `viewers`"}),
    team.Quota: _table(
        {
            "hard": "write its keys here",
            "scopes scopeSelector": "the quota counts everything in the namespace; remove it",
            "requests.cpu requests.memory requests.storage limits.cpu limits.memory": (
                "nest it, as in `requests: {cpu: ...}`"
            ),
            "cpu memory": "write it under `requests` or `limits`",
            "configmaps secrets replicationcontrollers resourcequotas services.loadbalancers "
            "services.nodeports requests.ephemeral-storage "
            "limits.ephemeral-storage": _REMOVE,
        }
    ),
    team.QuotaRequests: _UNCOUNTED,
    team.QuotaLimits: _UNCOUNTED | _table({"storage": "write it under `requests`"}),
    team.LimitRange: _table(
        {
            "limits": "write its keys here",
            "type": "it applies to containers; remove it",
            "maxLimitRequestRatio": _REMOVE,
            "cpu memory": "write it under `default`, `defaultRequest`, `max` or `min`",
        }
    ),
    team.ContainerDefault: _RESOURCE_LIST,
    team.ContainerDefaultRequest: _RESOURCE_LIST,
    team.ContainerMax: _RESOURCE_LIST,
    team.ContainerMin: _RESOURCE_LIST,
    team.Registry: _table(
        {
            "public": "a project is private; remove it",
            "vulnerabilityScanning autoScan scanOnPush": "images are scanned on push; remove it",
            "deploymentSecurity enableContentTrust enableContentTrustCosign": (
                "use `signatures.enforce`"
            ),
            "immutableTags immutableTagRules": (
                "Harbor's retention could not delete such images; remove it"
            ),
        }
    ),
    team.Retention: _table(
        {"disabled rules nDaysSinceLastPull nDaysSinceLastPush": "use `mostRecentlyPushed`"}
    ),
    BaseApp: _WORKLOAD,
    Container: _WORKLOAD
    | _table(
        {
            "probe": "use `probes`",
            "healthcheck healthCheck": "use `probes`",
        }
    ),
    Image: _table(
        {
            "name": "use `repository`",
            "registry": "begin `repository` with it",
            "version": "use `tag`",
            "pullSecrets imagePullSecrets pullSecret": (
                "the platform provides the pull secret; remove it"
            ),
            "imagePullPolicy": "use `pullPolicy`",
        }
    ),
    EnvVar: _table(
        {
            "valueFrom secretKeyRef configMapKeyRef fieldRef resourceFieldRef fileKeyRef": (
                _VALUE_FROM
            ),
        }
    ),
    EnvFrom: _table(
        {
            "configMapRef": "use `app.env`, with one entry per variable",
            "name optional": "write the secret's name in `secretRef`",
        }
    ),
    SecretFiles: _table(
        {
            "mountPath": "use `path`",
            "secret secretName name": "use `secretRef`",
            "items": "use `keys`",
            "defaultMode mode readOnly optional": (
                "a group of the app's process reads the files; remove it"
            ),
            "subPath subPathExpr mountPropagation recursiveReadOnly": _REMOVE,
        }
    ),
    File: _table(
        {
            "mountPath": "use `path`",
            "text data value": "use `content`",
            "file source": "use `from`",
            "configMap name subPath key items": (
                "write the text in `content`, or name a file in `from`"
            ),
            "secretRef secretName": "use `app.secretFiles`",
            "readOnly defaultMode mode": "everyone in the container may read it; remove it",
            "optional subPathExpr mountPropagation recursiveReadOnly": _REMOVE,
        }
    ),
    RunAs: _table(
        {
            "runAsUser uid": "use `user`",
            "runAsGroup gid": "use `group`",
            "runAsNonRoot": "no app runs as root; remove it",
            "fsGroupChangePolicy supplementalGroups supplementalGroupsPolicy seLinuxOptions "
            "runAsUserName": _REMOVE,
        }
    ),
    PreStop: _table(
        {
            "sleep seconds": "use `sleepSeconds`",
            "command": "write it under `exec`",
            "httpGet tcpSocket": "use `exec`",
        }
    ),
    InitStep: _table(
        {
            "imagePullPolicy": "use `image.pullPolicy`",
            "env envFrom resources volumeMounts workingDir": "it has the app's; remove it",
            "securityContext": "it is hardened like the app; remove it",
            "restartPolicy livenessProbe readinessProbe startupProbe ports lifecycle": (
                "a step ends before the app starts; remove it"
            ),
        }
    ),
    PreStopExec: {"args": "write them in `command`"},
    Resources: _table(
        {"claims": _NO_DEVICE, "cpu memory": "write it under `requests` or `limits`"}
    ),
    ResourceRequests: _RESOURCE_LIST,
    ResourceLimits: _RESOURCE_LIST,
    Volume: _table(
        {
            "mountPath": "use `path`",
            "storageClassName": "use `storageClass`",
            "accessModes": "a volume has one; use `accessMode`",
            "resources requests storage capacity": "use `size`",
            "persistentVolumeClaim claimName existingClaim volumeName": (
                "the claim is `<app.name>-<name>`; name the volume in `name`"
            ),
            "retain keep reclaimPolicy persistentVolumeReclaimPolicy": "use `onRemoval`",
            "emptyDir sizeLimit": "use `app.writablePaths` for data that a pod takes with it",
            "enabled": "a volume in the list exists; remove it",
            "hostPath": "no pod sees its node's disk; remove the volume",
            "configMap secret projected csi nfs ephemeral": (
                "it is a PersistentVolumeClaim; use `storageClass`"
            ),
            "subPath subPathExpr readOnly mountPropagation recursiveReadOnly medium type "
            "volumeMode dataSource dataSourceRef selector volumeAttributesClassName annotations "
            "labels": _REMOVE,
        }
    ),
    WritablePath: _table(
        {
            "mountPath": "use `path`",
            "size": "use `sizeLimit`",
            "emptyDir": "write its `sizeLimit` here",
            "name medium mountPropagation readOnly recursiveReadOnly subPath subPathExpr": _REMOVE,
        }
    ),
    AppPort: _table(
        {
            "containerPort number": "use `port`",
            "targetPort servicePort": "the Service has the same port as the app; remove it",
            "appProtocol": "use `protocol`",
            "hostPort hostIP nodePort": "no port of a node is used; remove it",
        }
    ),
    WebAppProbes: _PROBES,
    WorkerProbes: _PROBES,
    Probe: _PROBE,
    TcpAction: _table({"host": "a probe is sent to the pod; remove it"}),
    GrpcAction: _table({"host": "a probe is sent to the pod; remove it"}),
    ExecAction: {"args": "write them in `command`"},
    Autoscaling: _table(
        {
            "targetCPUUtilizationPercentage cpu averageUtilization": "use `targetCPUUtilization`",
            "targetMemoryUtilizationPercentage memory": "use `targetMemoryUtilization`",
            "scaleUp scaleDown": "write it under `behavior`",
            "metrics scaleTargetRef triggers pollingInterval cooldownPeriod": (
                "it scales by CPU and memory; use `targetCPUUtilization` and "
                "`targetMemoryUtilization`"
            ),
        }
    ),
    ScalingRules: {"tolerance": "Kubernetes ignores it before 1.35; remove it"},
    Strategy: _table({"rollingUpdate": "write its keys here"}),
    PodDisruptionBudget: _table({"selector unhealthyPodEvictionPolicy": _REMOVE}),
    Schedule: _table(
        {
            "schedule": "use `cron`",
            "timeZone": "use `timezone`",
            "jobTemplate template": "write its keys here",
            "completionMode": "a run's pods are all alike; remove it",
            "backoffLimitPerIndex maxFailedIndexes podFailurePolicy podReplacementPolicy "
            "successPolicy": "use `backoffLimit`",
            "managedBy manualSelector selector": _REMOVE,
        }
    ),
    Ingress: _table(
        {
            "hostname": "use `host`",
            "extraHosts additionalHosts": "use `hosts`",
            "gateways": "an app has one; use `gateway`",
            "annotations className ingressClassName": "use `gateway`",
            "rules http match route path pathType extraPaths": "use `paths`",
            "tcp defaultBackend backend exportTo": (
                "requests go to the app, over HTTP, from its gateway only; remove it"
            ),
            "rewrite redirect": "write it in an entry of `paths`",
            "corsPolicy": "use `cors`",
            "tls": "the gateway ends TLS; remove it",
            "delegate directResponse fault headers mirror mirrors mirrorPercent mirrorPercentage "
            "mirror_percent": "have the app do it",
            "name labels": _REMOVE,
        }
    ),
    IngressPath: _table(
        {
            "path uri exact": "use `prefix`",
            "regex": "paths are compared by whole segments; use `prefix`",
            "pathType": "paths are compared by whole segments; remove it",
            "app backend route serviceName servicePort destination": (
                "each app lists its own paths; write it under that app"
            ),
            "match": "write its `prefix` here",
            "timeout retries": "it applies to all paths; write it in `ingress`",
            "cors corsPolicy": "it applies to all paths; use `ingress.cors`",
            "headers method queryParams authority scheme port withoutHeaders sourceLabels gateways "
            "ignoreUriCase sourceNamespace statPrefix delegate directResponse fault mirror mirrors "
            "mirrorPercent mirrorPercentage mirror_percent": "have the app do it",
            "name": _REMOVE,
        }
    ),
    Rewrite: _table({"uriRegexRewrite": "use `uri`", "host": "use `authority`"}),
    Redirect: _table(
        {
            "host": "use `authority`",
            "prefixRewrite": "use `uri`",
            "derivePort": "use `port`",
            "code statusCode": "use `redirectCode`",
        }
    ),
    Retries: _table(
        {
            "backoff retryRemoteLocalities retryIgnorePreviousHosts": (
                "Istio's default applies; remove it"
            ),
        }
    ),
    Cors: _table(
        {
            "allowOrigin": "use `allowOrigins`",
            "unmatchedPreflights": "Istio's default applies; remove it",
        }
    ),
    OriginMatch: _table({"regex": "it easily admits other sites; list them with `exact`"}),
    ServiceMonitor: _table(
        {
            "port targetPort": "a web-app's metrics are on `app.port`; remove it",
            "endpoints": "write `path` and `interval` here",
            "selector namespaceSelector selectorMechanism labels jobLabel targetLabels namespace "
            "podTargetLabels attachMetadata annotations additionalLabels": (
                "the platform's Prometheus finds the app; remove it"
            ),
            "scrapeTimeout": "the platform's setting applies; remove it",
            "scheme tlsConfig authorization basicAuth bearerTokenFile bearerTokenSecret oauth2 "
            "params proxyUrl noProxy proxyConnectHeader proxyFromEnvironment": (
                "metrics are read over plain HTTP; remove it"
            ),
            "honorLabels honorTimestamps trackTimestampsStaleness enableHttp2 filterRunning "
            "followRedirects relabelings metricRelabelings bodySizeLimit "
            "convertClassicHistogramsToNHCB fallbackScrapeProtocol keepDroppedTargets labelLimit "
            "labelNameLengthLimit labelValueLengthLimit nativeHistogramBucketLimit "
            "nativeHistogramMinBucketFactor sampleLimit scrapeClass scrapeClassicHistograms "
            "scrapeProtocols targetLimit": _REMOVE,
        }
    ),
    Call: _table(
        {
            "application name service": "use `app`, or `platform` for a service of the platform",
            "namespace remoteNamespace": "use `team`, or `platform` for one of the platform's",
            "hostname url address external fqdn remoteHost hosts": "use `host`",
            "ip ipBlock cidrs addresses remoteCidr": "use `cidr`",
            "ports": "an entry has one; use `port`",
            "selector podSelector namespaceSelector remoteSelector labels": "use `team` and `app`",
            "remoteGenerated": "use `platform` for the API server, `host` or `cidr` for others",
            "rules outbound": "write each rule as an entry of `calls`",
            "paths methods": "the called app's team restricts them, in its `callers`; remove it",
            "protocol direction cluster description enabled": _REMOVE,
        }
    ),
    Caller: _table(
        {
            "application name service": "use `app`",
            "namespace remoteNamespace": "use `team`",
            "path": "use `paths`",
            "method": "use `methods`",
            "port ports": "callers reach `app.port`; remove it",
            "selector podSelector namespaceSelector remoteSelector labels": "use `team` and `app`",
            "serviceAccount principal remoteServiceAccount": (
                "the caller's file says it; use `team` and `app`"
            ),
            "rules inbound": "write each rule as an entry of `callers`",
            "host cidr ipBlock platform": (
                "only apps of other teams are listed; use `ingress`, or "
                "`networkPolicy.additionalIngress`"
            ),
            "protocol direction cluster description enabled permissions": _REMOVE,
        }
    ),
    network.NetworkPolicy: _table(
        {
            "ingress": "use `additionalIngress`",
            "egress": "use `additionalEgress`",
            "allow rules accessPolicy": "use `calls` and `callers` of the app",
            "outbound": "use `calls` of the app",
            "inbound": "use `callers` of the app",
            "podSelector policyTypes": "the policy selects the app's own pods, in both "
            "directions; remove it",
        }
    ),
    network.IngressRule: _table({"to": "use `from`, or move the rule to `additionalEgress`"}),
    network.EgressRule: _table({"from": "use `to`, or move the rule to `additionalIngress`"}),
    ServiceAccount: _table(
        {
            "name": "it has the app's name; remove it",
            "annotations labels": "the platform sets labels and annotations; remove it",
            "automount automountServiceAccountToken secrets": "pods get no token; remove it",
            "imagePullSecrets": "the platform provides the pull secret; remove it",
        }
    ),
    HardeningException: _table(
        {
            "capability capabilities": "use `allow`",
            "justification": "use `reason`",
            "issue": "use `ticket`",
            "approver approved": "use `approvedBy`",
            "expires expiry expiration validUntil": "use `until`",
        }
    ),
    Alert: _table(
        {
            "alert": "use `name`",
            "annotations description message runbook_url": "use `summary`",
            "labels": "use `severity`",
            "record": "there are no recording rules; write the expression in `expr`",
            "keep_firing_for keepFiringFor": _REMOVE,
            "groups rules": "write each rule as an entry of `alerts`",
        }
    ),
}
