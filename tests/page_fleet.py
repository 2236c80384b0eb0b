"""A fleet for tests of `./sre page`: exceptions, a call between teams, and every lifecycle."""

from pathlib import Path

VALUE, ARGUMENT, CONTENT = "value-of-a-variable", "argument-of-a-process", "content-of-a-file"
DIGEST = "sha256:" + "0123456789abcdef" * 4
ALPHA = f"""
team: team-alpha
access: {{developers: [builders, contractors], roles: {{auditors: view}}}}
apps:
  - archetype: web-app
    app:
      name: my-api
      image: {{repository: harbor.sre.internal/team-alpha/my-api, tag: v1.2.3, digest: "{DIGEST}"}}
      port: 8443
      args: ["{ARGUMENT}"]
      env: [{{name: GREETING, value: "{VALUE}"}}, {{name: DB, secretRef: my-api-db}}]
      files: [{{path: /etc/app/app.conf, content: "{CONTENT}"}}]
    ingress: {{enabled: true, hosts: [a.apps.sre.example.com, b.apps.sre.example.com]}}
    calls: [{{team: team-beta, app: ledger}}, {{cidr: 203.0.113.0/24, port: 8443}}]
    exceptions:
      - allow: writableRootFilesystem
        reason: "rewrites <b>its</b> own & \\"all\\" plugins"
        ticket: SEC-12
        approvedBy: jane.doe@example.com
        until: 2027-06-30
      - {{allow: CHOWN, reason: old, ticket: SEC-9, approvedBy: Jane Doe, until: 2027-03-31}}
  - archetype: cronjob
    app:
      name: report
      image: {{repository: harbor.sre.internal/team-alpha/report, tag: v0.9.0}}
    schedule: {{cron: "0 2 * * 1-5", timezone: Europe/Berlin}}
"""
BETA = """
team: team-beta
apps:
  - archetype: web-app
    app:
      name: ledger
      image: {repository: harbor.sre.internal/team-beta/ledger, tag: v2.0.0}
      port: 9000
    callers: [{team: team-alpha, app: my-api}]
"""
WORKER = """
apps:
  - archetype: worker
    app:
      name: sync
      image: {{repository: harbor.sre.internal/{team}/sync, tag: v0.3.1}}
"""
# As long as names may be, in an app that has everything.
LONG = "team-with-a-name-that-is-as-long-as-names-of-teams-may-ever-be"
ODD = f"""
team: {LONG}
apps:
  - archetype: web-app
    app:
      name: an-app-with-a-name-that-is-long-as-well
      image:
        repository: harbor.sre.internal/{LONG}/an-app-with-a-name-that-is-long-as-well
        tag: v1.0.0-rc.1-build.20261129.0123456789abcdef0123456789abcdef
        digest: "{DIGEST}"
    ingress: {{enabled: true, host: an-app-with-a-name-that-is-long.apps.sre.example.com}}
    exceptions:
      - allow: writableRootFilesystem
        reason: {"needs-one-very-long-word-" * 5}
        ticket: https://tickets.example.com/browse/SECURITY-0123456789-0123456789-0123456789
        approvedBy: somebody.with.a.long.name@department.subsidiary.example.com
        until: 2027-12-31
"""


def write_fleet(folder: Path, *, odd: bool = False) -> None:
    """Its files, in a new folder; with one of long names."""
    folder.mkdir()
    leaving, resting = WORKER.format(team="team-leaving"), WORKER.format(team="team-resting")
    files = {
        "team-alpha": ALPHA,
        "team-beta": BETA,
        "team-empty": "team: team-empty\n",
        "team-leaving": f"team: team-leaving\nlifecycle: offboarding{leaving}",
        "team-resting": f"team: team-resting\nlifecycle: suspended{resting}",
    }
    if odd:
        files[LONG] = ODD
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text.lstrip(), encoding="utf-8")
