"""Team files that are right: the guide's and the contract's own examples, and what is left out."""

from pathlib import Path

import pytest

from specs.app import CronJob, WebApp, Worker
from specs.load import load_team
from tests.written import ROOT, accepted, app, dev_settings, entry, place, settings, team

# The guide's examples as it prints them: the values of a HelmRelease.
QUICK_START = """
app:
  name: my-api
  team: team-alpha
  image:
    repository: harbor.sre.internal/team-alpha/my-api
    tag: "v1.0.0"
  port: 8080
  replicas: 2
  resources:
    requests:
      cpu: 100m
      memory: 128Mi
    limits:
      cpu: 500m
      memory: 512Mi
  probes:
    liveness:
      path: /healthz
      initialDelaySeconds: 10
      periodSeconds: 10
    readiness:
      path: /readyz
      initialDelaySeconds: 5
      periodSeconds: 5
  env: []

ingress:
  enabled: true
  host: my-api.apps.sre.example.com

autoscaling:
  enabled: true
  minReplicas: 2
  maxReplicas: 10
  targetCPUUtilization: 80

serviceMonitor:
  enabled: true
  interval: "30s"
  path: /metrics
"""
FRONTEND = """
app:
  name: frontend
  team: team-alpha
  image:
    repository: harbor.sre.internal/team-alpha/frontend
    tag: "v2.1.0"
  port: 3000
  resources:
    requests:
      cpu: 200m
      memory: 256Mi
    limits:
      cpu: "1"
      memory: 1Gi
  probes:
    liveness:
      path: /healthz
      initialDelaySeconds: 15
      periodSeconds: 10
    readiness:
      path: /readyz
      initialDelaySeconds: 5
      periodSeconds: 5

ingress:
  enabled: true
  host: frontend.apps.sre.example.com
"""
ORDER_PROCESSOR = """
app:
  name: order-processor
  team: team-alpha
  image:
    repository: harbor.sre.internal/team-alpha/order-processor
    tag: "v1.3.0"
  replicas: 3
  resources:
    requests:
      cpu: 250m
      memory: 512Mi
    limits:
      cpu: "1"
      memory: 2Gi
  command:
    - /bin/order-processor
  args:
    - "--queue=orders"
    - "--concurrency=10"
  env:
    - name: QUEUE_URL
      secretRef: order-queue-credentials
  probes:
    liveness:
      exec:
        command:
          - /bin/sh
          - -c
          - "pgrep -f worker || exit 1"
      initialDelaySeconds: 10
      periodSeconds: 30
    readiness:
      exec:
        command:
          - /bin/sh
          - -c
          - "pgrep -f worker || exit 1"
      initialDelaySeconds: 5
      periodSeconds: 10

autoscaling:
  enabled: false

serviceMonitor:
  enabled: true
  port: 9090
  path: /metrics
"""
NIGHTLY_REPORT = """
app:
  name: nightly-report
  team: team-alpha
  image:
    repository: harbor.sre.internal/team-alpha/report-generator
    tag: "v1.0.5"
  resources:
    requests:
      cpu: 500m
      memory: 1Gi
    limits:
      cpu: "2"
      memory: 4Gi
  command:
    - /bin/generate-report
  args:
    - "--type=daily"
    - "--output=s3"
  env:
    - name: S3_BUCKET
      value: "sre-reports"
    - name: DB_CONNECTION
      secretRef: report-db-credentials

schedule:
  cron: "0 2 * * *"
  timezone: "America/New_York"
  concurrencyPolicy: "Forbid"
  activeDeadlineSeconds: 3600
  backoffLimit: 3
  restartPolicy: "Never"
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
"""


def pasted(archetype: str, values: str) -> str:
    """A chart's values as an entry of `apps`, moved to the right and not changed."""
    lines = (f"    {line}" if line else "" for line in values.splitlines())
    return f"  - archetype: {archetype}\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("archetype", "values"),
    [
        ("web-app", QUICK_START),
        ("web-app", FRONTEND),
        ("worker", ORDER_PROCESSOR),
        ("cronjob", NIGHTLY_REPORT),
    ],
    ids=["my-api", "frontend", "order-processor", "nightly-report"],
)
def test_an_example_of_the_guide_pastes_in_unchanged(
    tmp_path: Path, archetype: str, values: str
) -> None:
    (made,) = accepted(tmp_path, team("apps:\n" + pasted(archetype, values))).apps
    assert made.archetype == archetype


def test_the_guides_examples_fit_together_in_one_file(tmp_path: Path) -> None:
    text = (
        pasted("web-app", QUICK_START)
        + pasted("web-app", FRONTEND)
        + pasted("worker", ORDER_PROCESSOR)
        + pasted("cronjob", NIGHTLY_REPORT)
    )
    made = accepted(tmp_path, team("quota: {limits: {cpu: 10}}\napps:\n" + text))
    assert [app.name for app in made.apps] == [
        "my-api", "frontend", "order-processor", "nightly-report"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("archetype", "in_app", "beside"),
    [
        ("web-app", "team: team-alpha", ""),
        (
            "web-app",
            'env: [{name: LOG_LEVEL, value: "info"}, {name: APP_ENV, value: "production"}]',
            "",
        ),
        (
            "web-app",
            "env:\n"
            '  - name: LOG_LEVEL\n    value: "info"\n'
            "  - name: DATABASE_URL\n    secretRef: my-api-db-credentials\n"
            '  - name: CACHE_TTL\n    value: "300"\n'
            "  - name: API_KEY\n    secretRef: my-api-external-key\n",
            "",
        ),
        ("web-app", "replicas: 3", ""),
        ("web-app", "probes: {liveness: {path: /healthz, initialDelaySeconds: 30}}", ""),
        (
            "worker",
            'probes: {liveness: {exec: {command: [/bin/sh, -c, "pgrep -f worker || exit 1"]}, '
            "initialDelaySeconds: 10, periodSeconds: 30}}",
            "",
        ),
        (
            "web-app",
            "",
            "ingress: {enabled: true, host: my-api.apps.sre.example.com, "
            'gateway: "istio-system/sre-gateway"}',
        ),
        (
            "worker",
            "",
            "autoscaling: {enabled: true, minReplicas: 2, maxReplicas: 10, "
            "targetCPUUtilization: 80}",
        ),
        (
            "worker",
            "",
            'serviceMonitor: {enabled: true, interval: "30s", port: 9090, path: /metrics}',
        ),
        ("cronjob", "", "serviceMonitor: {enabled: true, port: 9090}"),
        (
            "cronjob",
            "",
            "networkPolicy: {enabled: true, additionalIngress: [], additionalEgress: []}",
        ),
        (
            "web-app",
            "",
            "networkPolicy:\n  additionalEgress:\n    - to:\n        - namespaceSelector:\n"
            "            matchLabels:\n              kubernetes.io/metadata.name: databases\n"
            "          podSelector:\n            matchLabels:\n              app: postgresql\n"
            "      ports:\n        - port: 5432\n          protocol: TCP\n",
        ),
        (
            "web-app",
            "",
            "networkPolicy: {additionalEgress: [{to: [{ipBlock: {cidr: 10.200.0.0/16}}], "
            "ports: [{port: 8443, protocol: TCP}]}]}",
        ),
        ("web-app", "", "podDisruptionBudget: {enabled: true, minAvailable: 1}"),
        ("web-app", "", "podDisruptionBudget: {minAvailable: 50%}"),
        ("web-app", "replicas: 0", "autoscaling: {enabled: false}"),
        ("web-app", "", "ingress: {enabled: false, host: ''}"),
        ("worker", "", "serviceAccount: {create: false}"),
        (
            "web-app",
            "env: [{name: TOKEN_HEADER, value: X-Token, plain: true}]\n"
            "writablePaths: [{path: /tmp, sizeLimit: 64Mi}]",
            "alerts: [{name: HighErrorRate, expr: up == 0, for: 10m, severity: warning, "
            "summary: many}]",
        ),
        ("cronjob", "", "schedule: {cron: '@daily', timezone: EST5EDT}"),
        ("cronjob", "", "schedule: {cron: 0 2 * * *, timezone: ''}"),
        ("web-app", "resources: {requests: {cpu: 0.1}, limits: {cpu: 1}}", ""),
    ],
)
def test_a_documented_key_is_accepted(
    tmp_path: Path, archetype: str, in_app: str, beside: str
) -> None:
    accepted(tmp_path, app(in_app, beside, archetype=archetype))


@pytest.mark.parametrize(
    "words",
    [
        "[login, --password, $(DB_PASSWORD)]",
        "[login, --password=$(DB_PASSWORD), --token=]",
        "[login, --password, --user, app]",
        "[psql, --no-password, shop]",
        "[docker, login, --password-stdin, harbor.sre.internal]",
        "[play, --ask-vault-pass, site.yml]",
        "[serve, --token-file, token.txt, --private-key, tls.key, --max-tokens, '4096']",
        "[serve, --secret=/run/secrets/app, --credentials, ./app, --tokens, 'true']",
        "[serve, --pass-through, host, --compass, north, password, hunter]",
        """[sh, -c, 'login --password "$PASSWORD" --token=${TOKEN} --secret `cat /s` --pass <x']""",
        "[sh, -c, 'serve --ask-pass; echo a--token b --token | cat --secret && true']",
    ],
)
def test_a_flag_without_a_credential_is_accepted(tmp_path: Path, words: str) -> None:
    variables = "env: [{name: DB_PASSWORD, secretRef: shop-db}]"
    accepted(tmp_path, app(f"{variables}\nargs: {words}"))


def test_an_image_of_a_shared_project_is_accepted(tmp_path: Path) -> None:
    accepted(tmp_path, app(image="{repository: harbor.sre.internal/base-images/a/b, tag: '1.10'}"))


def test_the_contracts_file_is_accepted(tmp_path: Path) -> None:
    text = """
        # yaml-language-server: $schema=../schemas/team.schema.json
        access:
          developers: [team-alpha-developers]
          viewers: [team-alpha-viewers]
        quota:
          requests: {cpu: "4", memory: 8Gi}
          limits: {cpu: "8", memory: 16Gi}
          pods: 20
          services: 10
          persistentvolumeclaims: 10
        limitRange:
          max: {cpu: "2", memory: 4Gi}
        registry: {}
        apps:
          - archetype: web-app
            app:
              name: my-api
              team: team-alpha
              image: {repository: harbor.sre.internal/team-alpha/my-api, tag: "v1.0.0"}
              port: 8080
            ingress: {enabled: true, host: my-api.apps.sre.example.com}
        """
    assert [made.name for made in accepted(tmp_path, team(text)).apps] == ["my-api"]


def test_a_team_without_settings_has_the_guides_values(tmp_path: Path) -> None:
    made = accepted(tmp_path, team(""))
    assert made.apps == ()
    assert made.developers == ("team-alpha-developers",)
    assert made.viewers == ("team-alpha-viewers",)
    quota, limits = made.quota, made.limit_range
    assert [str(q) for q in (quota.requests.cpu, quota.requests.memory)] == ["4", "8Gi"]
    assert [str(q) for q in (quota.limits.cpu, quota.limits.memory)] == ["8", "16Gi"]
    assert (quota.pods, quota.services, quota.persistentvolumeclaims) == (20, 10, 10)
    requests, default, most = limits.default_request, limits.default, limits.max
    assert [str(q) for q in (requests.cpu, requests.memory)] == ["100m", "128Mi"]
    assert [str(q) for q in (default.cpu, default.memory)] == ["500m", "512Mi"]
    assert [str(q) for q in (most.cpu, most.memory)] == ["2", "4Gi"]
    assert made.registry.signatures.enforce


def test_a_web_app_without_settings_has_the_guides_values(tmp_path: Path) -> None:
    (made,) = accepted(tmp_path, app()).apps
    assert isinstance(made, WebApp)
    assert (made.app.port, made.app.replicas, made.app.image.pull_policy) == (
        8080,
        2,
        "IfNotPresent",
    )
    liveness, readiness = made.app.probes.liveness, made.app.probes.readiness
    assert (liveness.path, liveness.initial_delay_seconds, liveness.period_seconds) == (
        "/healthz", 10, 10
    )  # fmt: skip
    assert (readiness.path, readiness.initial_delay_seconds, readiness.period_seconds) == (
        "/readyz", 5, 5
    )  # fmt: skip
    scaling = made.autoscaling
    assert (scaling.enabled, scaling.min_replicas, scaling.max_replicas) == (True, 2, 10)
    assert scaling.target_cpu_utilization == 80
    assert (made.service_monitor.enabled, made.service_monitor.interval) == (True, "30s")
    assert made.service_monitor.path == "/metrics"
    assert (made.pod_disruption_budget.enabled, made.pod_disruption_budget.min_available) == (
        True,
        1,
    )
    assert not made.ingress.enabled
    assert made.network_policy.enabled
    assert made.service_account.create


def test_a_worker_without_settings_does_not_scale_and_has_metrics(tmp_path: Path) -> None:
    (made,) = accepted(tmp_path, app(archetype="worker")).apps
    assert isinstance(made, Worker)
    assert not made.autoscaling.enabled
    assert (made.service_monitor.enabled, made.service_monitor.port) == (True, 9090)


def test_a_cronjob_without_settings_has_no_metrics_and_the_guides_values(tmp_path: Path) -> None:
    (made,) = accepted(tmp_path, app(archetype="cronjob")).apps
    assert isinstance(made, CronJob)
    assert not made.service_monitor.enabled
    schedule = made.schedule
    assert (schedule.concurrency_policy, schedule.restart_policy) == ("Forbid", "Never")
    assert (schedule.active_deadline_seconds, schedule.backoff_limit) == (3600, 3)
    assert (schedule.successful_jobs_history_limit, schedule.failed_jobs_history_limit) == (3, 3)


def test_anchors_and_merges_are_accepted(tmp_path: Path) -> None:
    text = (
        "apps:\n"
        + entry("resources: &small {requests: {cpu: 50m}}", name="one")
        + entry("resources: {<<: *small, limits: {cpu: 200m}}", name="two")
    )
    one, two = accepted(tmp_path, team(text)).apps
    assert two.app.resources.requests == one.app.resources.requests
    assert str(two.app.resources.limits.cpu) == "200m"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_windows_line_ends_and_a_byte_order_mark_are_accepted(
    tmp_path: Path, encoding: str, line_end: str
) -> None:
    (tmp_path / "team-alpha.yaml").write_bytes(app().replace("\n", line_end).encode(encoding))
    loaded = load_team(tmp_path / "team-alpha.yaml", "x", settings())
    assert loaded.team
    assert not loaded.problems


def test_a_byte_order_mark_and_windows_line_ends_move_no_place(tmp_path: Path) -> None:
    text, where = place("team: «Team-Alpha\r\n")
    (tmp_path / "team-alpha.yaml").write_bytes(text.encode("utf-8-sig"))
    (problem,) = load_team(tmp_path / "team-alpha.yaml", "x", settings()).problems
    assert f"{problem.line}:{problem.column}" == where


@pytest.mark.parametrize("file", sorted((ROOT / "tenants").glob("*.yaml")), ids=lambda f: f.stem)
def test_a_shipped_file_is_accepted(tmp_path: Path, file: Path) -> None:
    accepted(tmp_path, file.read_text(), file.stem, namespace=dev_settings().namespace)
