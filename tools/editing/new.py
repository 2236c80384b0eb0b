"""A new team's file, and a new entry for an app in one."""

from dataclasses import replace

import yaml

from specs.fleet import SUFFIX, TeamsFolder
from specs.names import check_dns_label, check_team_name
from specs.problem import WHOLE_FILE, Loc, Problem, ProblemsError
from specs.settings import Settings
from specs.source import Source, frozen
from specs.team import Quota
from tools.editing.apps import with_entry
from tools.editing.scalar import written
from tools.editing.team_file import (
    open_team,
    problems,
    refuse,
    save,
)

FIRST_TAG = "v0.1.0"

_TEAM = """\
# yaml-language-server: $schema={schema}
# Every key: docs/reference.md. Omitted keys have their default.
team: {name}

# Keycloak groups: who may change the team's objects, and who may view them.
access:
  developers: [{team}-developers]
  viewers: [{team}-viewers]

# Limits for all apps together; these are the defaults.
quota:
  requests: {{cpu: "{quota.requests.cpu}", memory: {quota.requests.memory}}}
  limits: {{cpu: "{quota.limits.cpu}", memory: {quota.limits.memory}}}

# ./sre new app {team} NAME --archetype web-app
apps: []
"""

_APP = """\
archetype: {archetype}
app:
  name: {name}
  image:
    repository: {repository}
    tag: "{tag}" # a release writes it: ./sre set-image
"""

_CALLS = """\
# calls: [{app: APP}, {team: TEAM, app: APP}, {host: HOST}] # what it connects to
"""

# The rest of an entry, by archetype.
_REST = {
    "web-app": f"""\
  port: 8080 # answers /healthz and /readyz too; see `probes` if not
# ingress: {{enabled: true, host: HOST}} # access from outside the cluster
{_CALLS}\
# callers: [{{team: TEAM, app: APP}}] # apps of other teams that may call it
""",
    "worker": f"""\
  # command: [/bin/worker] # if it differs from the image's own
  replicas: 2
{_CALLS}""",
    "cronjob": f"""\
  # command: [/bin/job] # if it differs from the image's own
schedule:
  cron: "0 2 * * *" # minute, hour, day of month, month, day of week
  timezone: Etc/UTC
{_CALLS}""",
}

ARCHETYPES = tuple(_REST)


def new_team(folder: TeamsFolder, settings: Settings, team: str, schema: str) -> str:
    """Write the file of a new team and return its name in messages.

    `schema` is the JSON Schema as seen from the folder. If it raises ProblemsError, nothing is
    written.
    """
    if not folder.path.is_dir():
        refuse(folder.problems())
    file = folder.path / f"{team}{SUFFIX}"
    try:
        check_team_name(team)
    except ValueError as error:
        shown = f"{folder.shown}/{team}{SUFFIX}"
        raise ProblemsError(Problem(shown, 1, 1, "team", str(error))) from None
    message = "already exists; choose another name, or edit it"
    refuse(
        Problem(folder.shown_as(other), 1, 1, WHOLE_FILE, message)
        for other in folder.in_the_way(team)
    )
    text = _TEAM.format(schema=schema, name=written(team), team=team, quota=Quota())
    source = Source(file, folder.shown_as(file), text=text)
    refuse(problems(source, folder, settings))
    save(source)
    return source.shown


def new_app(
    folder: TeamsFolder, settings: Settings, team: str, app: str, archetype: str
) -> tuple[str, str]:
    """Add an app to a team's file; return its position there, and its image.

    If it raises ProblemsError, the file is unchanged.
    """
    source = open_team(folder, team)
    apps = source.data.get("apps")
    before = apps if isinstance(apps, tuple) else ()
    at: Loc = ("apps", len(before))
    try:
        check_dns_label(app)
    except ValueError as error:
        raise ProblemsError(source.problem((*at, "app", "name"), str(error))) from None
    # An empty `apps` is filled in.
    refuse(each for each in problems(source, folder, settings) if each.path != "apps")

    repository = f"{settings.harbor.host}/{team}/{app}"
    head = _APP.format(archetype=archetype, name=written(app), repository=repository, tag=FIRST_TAG)
    entry = head + _REST[archetype]
    changed = Source(source.file, source.shown, text=with_entry(source, entry.splitlines()))
    if changed.data != {**source.data, "apps": (*before, frozen(yaml.safe_load(entry)))}:
        message = "is in a form that cannot be extended; add the app by hand"
        raise ProblemsError(source.problem(("apps",), message))
    # Reported at `apps`: the lines of the entry are not in the file.
    here = source.problem(("apps",), "", at_key=True)
    found = problems(changed, folder, settings)
    refuse(replace(problem, line=here.line, column=here.column) for problem in found)
    save(changed)
    return f"{source.shown}:{changed.problem(at, '').line}", f"{repository}:{FIRST_TAG}"
