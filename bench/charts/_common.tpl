{{- /* What the three charts have in common; `make bench` copies it into each. */ -}}

{{- define "selector" -}}
app.kubernetes.io/name: {{ .Values.app.name }}
app.kubernetes.io/instance: {{ .Values.app.name }}
{{- end -}}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/managed-by: pulumi
app.kubernetes.io/part-of: sre-platform
sre.io/team: {{ .Values.app.team }}
{{- end -}}

{{- define "version" -}}
app.kubernetes.io/version: {{ .Values.app.image.tag | quote }}
{{- end -}}

{{- define "metadata" -}}
name: {{ .Values.app.name }}
namespace: {{ .Values.app.team }}
labels:
  {{- include "labels" . | nindent 2 }}
{{- end -}}

{{- define "service-account" -}}
{{- if .Values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "metadata" . | nindent 2 }}
automountServiceAccountToken: false
imagePullSecrets:
  - name: harbor-pull
{{- end }}
{{- end -}}

{{- define "pod" -}}
metadata:
  labels:
    {{- include "labels" .root | nindent 4 }}
    {{- include "version" .root | nindent 4 }}
  annotations:
    sidecar.istio.io/proxyCPU: 50m
    sidecar.istio.io/proxyCPULimit: 200m
    sidecar.istio.io/proxyMemory: 64Mi
    sidecar.istio.io/proxyMemoryLimit: 256Mi
    {{- with .annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- with .root.Values }}
spec:
  serviceAccountName: {{ .serviceAccount.create | ternary .app.name "default" }}
  automountServiceAccountToken: false
  {{- if not .serviceAccount.create }}
  imagePullSecrets:
    - name: harbor-pull
  {{- end }}
  {{- with .schedule }}
  restartPolicy: {{ .restartPolicy }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ .app.name }}
      image: {{ printf "%s:%s" .app.image.repository .app.image.tag | quote }}
      imagePullPolicy: {{ .app.image.pullPolicy }}
      {{- with .app.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .app.args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $.port }}
      ports:
        - name: {{ .name }}
          containerPort: {{ .port }}
          protocol: TCP
      {{- end }}
      {{- with .app.env }}
      env:
        {{- range . }}
        - name: {{ .name }}
          {{- if .secretRef }}
          valueFrom:
            secretKeyRef:
              name: {{ .secretRef }}
              key: value
          {{- else }}
          value: {{ .value | quote }}
          {{- end }}
        {{- end }}
      {{- end }}
      resources:
        {{- toYaml .app.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        runAsNonRoot: true
        capabilities:
          drop: [ALL]
      {{- with $.probes }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- with .app.writablePaths }}
      volumeMounts:
        {{- range $index, $path := . }}
        - name: writable-{{ $index }}
          mountPath: {{ $path.path }}
        {{- end }}
      {{- end }}
  {{- with .app.writablePaths }}
  volumes:
    {{- range $index, $path := . }}
    - name: writable-{{ $index }}
      emptyDir:
        sizeLimit: {{ $path.sizeLimit }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "network-policy" -}}
{{- if .Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- $ports := .Values.app.port | default .Values.serviceMonitor.port | dict "protocol" "TCP" "port" | list }}
    {{- $monitoring := dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" "monitoring")) }}
    {{- if .Values.ingress }}
    {{- if .Values.ingress.enabled }}
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ splitList "/" .Values.ingress.gateway | first }}
      ports: {{ toJson $ports }}
    {{- end }}
    - from: [{{ toJson $monitoring }}]
      ports: {{ toJson $ports }}
    - from:
        - podSelector: {}
      ports: {{ toJson $ports }}
    {{- else if .Values.serviceMonitor.enabled }}
    - from: [{{ toJson $monitoring }}]
      ports: {{ toJson $ports }}
    {{- end }}
    {{- range .Values.callers }}
    - from: [{{ include "app-peer" . }}]
      ports: {{ toJson $ports }}
    {{- end }}
    {{- with .Values.networkPolicy.additionalIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
      ports:
        - port: 53
          protocol: UDP
        - port: 53
          protocol: TCP
    - to:
        - podSelector: {}
    - ports:
        - port: 443
          protocol: TCP
    {{- range .Values.calls }}
    {{- if .app }}
    - to: [{{ include "app-peer" (dict "team" (.team | default $.Values.app.team) "app" .app) }}]
      ports: [{port: 8080, protocol: TCP}]
    {{- else if .cidr }}
    - to: [{ipBlock: {cidr: {{ .cidr }}}}]
      ports: [{port: {{ .port }}, protocol: TCP}]
    {{- end }}
    {{- end }}
    {{- with .Values.networkPolicy.additionalEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "app-peer" -}}
{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ .team }}}}, podSelector: {matchLabels: {app.kubernetes.io/name: {{ .app }}, app.kubernetes.io/instance: {{ .app }}}}}
{{- end -}}

{{- define "service-entries" -}}
{{- range .Values.calls }}
{{- with .host | default .cidr }}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: {{ printf "%s-%s" $.Values.app.name (regexReplaceAll "[./]" . "-") }}
  namespace: {{ $.Values.app.team }}
  labels:
    {{- include "labels" $ | nindent 4 }}
spec:
  exportTo: ["."]
  hosts: [{{ . | replace "/" "-" }}]
  location: MESH_EXTERNAL
  ports: [{name: tls-443, number: 443, protocol: TLS}]
  resolution: NONE
{{- end }}
{{- end }}
{{- end -}}

{{- define "external-secrets" -}}
{{- $team := .Values.app.team }}
{{- range .Values.app.env }}
{{- if .secretRef }}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ .secretRef }}
  namespace: {{ $team }}
  labels:
    app.kubernetes.io/name: {{ $team }}
    app.kubernetes.io/managed-by: pulumi
    app.kubernetes.io/part-of: sre-platform
    sre.io/team: {{ $team }}
spec:
  refreshInterval: 1h
  secretStoreRef:
    name: openbao-backend
    kind: ClusterSecretStore
  target:
    name: {{ .secretRef }}
  data:
    - secretKey: value
      remoteRef:
        key: sre/{{ $team }}/{{ .secretRef }}
        property: value
{{- end }}
{{- end }}
{{- end -}}

{{- define "service" -}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Values.app.team }}
  labels:
    {{- include "labels" .root | nindent 4 }}
  annotations:
    pulumi.com/skipAwait: "true"
spec:
  type: ClusterIP
  {{- with .clusterIP }}
  clusterIP: {{ . }}
  {{- end }}
  selector:
    {{- include "selector" .root | nindent 4 }}
  ports:
    - name: {{ .port.name | replace "metrics" "http-metrics" }}
      port: {{ .port.port }}
      targetPort: {{ .port.name }}
      protocol: TCP
{{- end -}}

{{- define "monitoring" -}}
{{- if .root.Values.serviceMonitor.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "metadata" .root | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "selector" .root | nindent 6 }}
  endpoints:
    - port: {{ .port }}
      path: {{ .root.Values.serviceMonitor.path }}
      interval: {{ .root.Values.serviceMonitor.interval }}
{{- end }}
{{- with .root.Values }}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  {{- include "metadata" $.root | nindent 2 }}
spec:
  groups:
    {{- $team := .app.team }}
    {{- $app := .app.name }}
    {{- $container := printf "namespace=%q,container=%q" $team $app }}
    - name: {{ $team }}/{{ $app }}/defaults
      rules:
        {{- range $name, $expr := dict
          "AppMemoryNearLimit" (printf "100 * max by (pod) (container_memory_working_set_bytes{%s}) / max by (pod) (kube_pod_container_resource_limits{%s,resource=\"memory\"}) > 90" $container $container)
          "AppUnavailable" (printf "100 * max(kube_deployment_status_replicas_available{namespace=%q,deployment=%q}) < 50" $team $app)
          "AppCrashLooping" (printf "max by (pod, container) (changes(kube_pod_container_status_restarts_total{%s}[30m])) >= 3" $container) }}
        - alert: {{ $name }}
          expr: {{ $expr | quote }}
          for: 5m
          labels:
            severity: warning
            namespace: {{ $team }}
            team: {{ $team }}
            app: {{ $app }}
          annotations:
            summary: {{ printf "%s of %s" $name $app }}
        {{- end }}
    {{- if .alerts }}
    - name: {{ $team }}/{{ $app }}
      rules:
        {{- range .alerts }}
        - alert: {{ .name }}
          expr: {{ .expr | quote }}
          for: {{ .for }}
          labels:
            severity: {{ .severity }}
            namespace: {{ $team }}
            team: {{ $team }}
          annotations:
            summary: {{ .summary | quote }}
        {{- end }}
    {{- end }}
{{- end }}
{{- include "dashboard" .root }}
{{- end -}}

{{- define "dashboard" }}
{{- $pods := printf "namespace=%q,container=%q" .Values.app.team .Values.app.name }}
{{- $calls := printf "source_workload_namespace=%q,source_workload=%q" .Values.app.team .Values.app.name }}
{{- $panels := list }}
{{- range $title, $expr := dict
  "CPU" (printf "sum by (pod) (rate(container_cpu_usage_seconds_total{%s}[$__rate_interval]))" $pods)
  "CPU throttled" (printf "sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{%s}[$__rate_interval]))" $pods)
  "Memory" (printf "sum by (pod) (container_memory_working_set_bytes{%s})" $pods)
  "Restarts" (printf "max by (pod) (changes(kube_pod_container_status_restarts_total{%s}[1h]))" $pods)
  "Limits" (printf "max(kube_pod_container_resource_limits{%s})" $pods)
  "Requests" (printf "sum by (destination_service) (rate(istio_requests_total{%s}[$__rate_interval]))" $calls)
  "Errors" (printf "sum(rate(istio_requests_total{%s,response_code=~\"5..\"}[$__rate_interval]))" $calls)
  "Latency" (printf "histogram_quantile(0.99, sum by (le) (rate(istio_request_duration_milliseconds_bucket{%s}[$__rate_interval])))" $calls) }}
{{- $target := dict "expr" $expr "legendFormat" "{{pod}}" "range" true "refId" "A" }}
{{- $source := dict "type" "prometheus" "uid" "${metrics}" }}
{{- $defaults := dict "unit" "short" "min" 0 "thresholds" (dict "mode" "absolute" "steps" (list (dict "color" "green" "value" nil))) }}
{{- $place := dict "h" 8 "w" 8 "x" 0 "y" (len $panels | mul 8) }}
{{- $panels = append $panels (dict "type" "timeseries" "title" $title "targets" (list $target) "datasource" $source "fieldConfig" (dict "defaults" $defaults "overrides" list) "gridPos" $place) }}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Values.app.name }}-dashboard
  namespace: {{ .Values.app.team }}
  labels:
    {{- include "labels" . | nindent 4 }}
    grafana_dashboard: "1"
  annotations:
    grafana_folder: {{ .Values.app.team }}
data:
  {{ .Values.app.team }}.{{ .Values.app.name }}.json: {{ dict "title" .Values.app.name "panels" $panels | toJson | quote }}
{{- end -}}

{{- define "deployment" -}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "metadata" .root | nindent 2 }}
    {{- include "version" .root | nindent 4 }}
spec:
  {{- if not .root.Values.autoscaling.enabled }}
  replicas: {{ .root.Values.app.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "selector" .root | nindent 6 }}
  template:
    {{- include "pod" . | nindent 4 }}
{{- end -}}

{{- define "scaling" -}}
{{- with .Values.autoscaling }}
{{- if .enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "metadata" $ | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $.Values.app.name }}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .targetCPUUtilization }}
{{- end }}
{{- end }}
{{- if .Values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "metadata" . | nindent 2 }}
spec:
  minAvailable: {{ .Values.podDisruptionBudget.minAvailable }}
  selector:
    matchLabels:
      {{- include "selector" . | nindent 6 }}
{{- end }}
{{- end -}}
