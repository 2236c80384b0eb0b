"""The callers of each team, as the two servers know them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

from clients.http import RefusedError
from specs.env_vars import PUSH_SECRET
from specs.secret_paths import MOUNT
from specs.settings import STORE_KINDS, Settings
from specs.team import Team
from tools.isolation.attempts import IN_OPENBAO, Caller
from tools.isolation.requests import Admin, Scene
from tools.isolation.verdict import NoRobotError, SelectsNothingError


@dataclass(frozen=True)
class Subject:
    """One caller; `enter` raises SelectsNothingError if the servers have no such caller."""

    caller: Caller
    name: str
    enter: Callable[[], Scene]


# Limits in a quota that apply to the containers of a single pod.
_SUMMED = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")

# Turns someone whom neither server knows into a caller of the team.
_Become = Callable[[Scene, Team], Scene]


def subjects(teams: Sequence[Team], settings: Settings, admin: Admin) -> Iterator[Subject]:
    """All callers of all teams, in the order of teams."""
    prefix = settings.kubernetes.group_prefix
    in_openbao = signs_in_to_openbao(settings, admin)
    developers = developers_in_openbao(settings)
    for team in teams:
        for caller, name, group, become in _callers(team, prefix, developers):
            if caller in IN_OPENBAO and not in_openbao:
                continue
            other = _next(team, teams, group)
            if other:
                enter = partial(_enter, admin, settings, team, other, become)
                yield Subject(caller, name, enter)


def signs_in_to_openbao(settings: Settings, admin: Admin) -> bool:
    """Whether there is a Keycloak, and the stack gives people rights in OpenBao."""
    return bool(admin.people and settings.manage.openbao and settings.openbao.oidc_accessor)


def developers_in_openbao(settings: Settings) -> Caller:
    """What developers are in the stack's OpenBao."""
    writes = settings.openbao.developer_access == "write"
    return Caller.WRITER_IN_OPENBAO if writes else Caller.DEVELOPER_IN_OPENBAO


def _callers(
    team: Team, prefix: str, developers: Caller
) -> Iterator[tuple[Caller, str, str | None, _Become]]:
    """Kind, name, Keycloak group of a person, and how to become one.

    `prefix`: what the API server puts before a group's name. `developers`: what they are in
    OpenBao.
    """
    people = (
        (Caller.DEVELOPER, developers, team.developers),
        (Caller.VIEWER, Caller.VIEWER_IN_OPENBAO, team.viewers),
    )
    for caller, in_openbao, groups in people:
        for group in groups:
            usual = group == f"{team.name}-{caller}s"
            name = f"{team.name} {caller if usual else group}"
            yield caller, name, group, partial(_member, group, prefix)
            yield in_openbao, f"{name} in OpenBao", group, partial(_member_in_openbao, group)
    for group, role in sorted(team.access.roles.items()):
        name = f"{team.name} {group} ({role})"
        yield Caller.ROLE, name, group, partial(_member, group, prefix)
        yield (
            Caller.ROLE_IN_OPENBAO,
            f"{name} in OpenBao",
            group,
            partial(_member_in_openbao, group),
        )
    yield Caller.APP, f"{team.name} app", None, _app
    yield Caller.ROBOT, f"{team.name} robot", None, _robot
    yield Caller.ANONYMOUS, f"anonymous at {team.name}", None, lambda stranger, _: stranger
    # Its checks log in themselves.
    yield Caller.STORE, f"{team.name} secret store", None, lambda stranger, _: stranger


def _next(team: Team, teams: Sequence[Team], group: str | None) -> Team | None:
    """The next team after it; if a group belongs to several teams, the next without it."""
    place = teams.index(team)
    others = [*teams[place + 1 :], *teams[:place]]
    return next((t for t in others if group not in t.groups), None)


def _enter(admin: Admin, settings: Settings, team: Team, other: Team, become: _Become) -> Scene:
    names = _names(team, other, settings, admin)
    cluster, openbao = admin.cluster.with_token(None), admin.openbao.with_token(None)
    return become(Scene(admin, cluster, openbao, names), team)


def _member(group: str, prefix: str, stranger: Scene, team: Team) -> Scene:
    """A member of that group: signed in or, without a Keycloak, impersonated.

    `prefix`: what the API server puts before the group's name.
    """
    admin, known_as = stranger.admin, f"{prefix}{group}"
    bound = {
        subject["name"]
        for binding in admin.objects("rbac.authorization.k8s.io/v1", "RoleBinding", team.name)
        for subject in binding.get("subjects", ())
        if subject["kind"] == "Group"
    }
    if known_as not in bound:
        raise SelectsNothingError(f"no RoleBinding in {team.name} for {known_as}")
    if admin.people:
        cluster = admin.people.in_cluster(admin.cluster, group, known_as)
    else:
        cluster = admin.cluster.impersonating("isolation-check", known_as)
    return replace(stranger, cluster=cluster)


def _member_in_openbao(group: str, stranger: Scene, team: Team) -> Scene:
    """A member of that group who has signed in to OpenBao."""
    people = stranger.admin.people
    assert people  # checked by `signs_in_to_openbao`
    return replace(stranger, openbao=people.in_openbao(group))


def _app(stranger: Scene, team: Team) -> Scene:
    """The first app with a ServiceAccount of its own."""
    accounts = [app.name for app in team.apps if app.service_account.create]
    if not accounts:
        raise SelectsNothingError(f"no app of {team.name} has a ServiceAccount")
    admin = stranger.admin
    try:
        token = admin.cluster.token(team.name, accounts[0])
        openbao = admin.openbao.login(team.name, token)
    except RefusedError as refusal:
        raise SelectsNothingError(f"{accounts[0]} cannot log in: {refusal}") from None
    return replace(stranger, cluster=admin.cluster.with_token(token), openbao=openbao, token=token)


def _robot(stranger: Scene, team: Team) -> Scene:
    """Harbor's robot for CI, which tries its password elsewhere."""
    admin = stranger.admin
    path = f"{MOUNT}/data/{team.name}/{PUSH_SECRET}"
    stored = admin.openbao.read(path)
    if stored is None:
        raise NoRobotError(path)
    password = stored["data"]["password"]
    return replace(
        stranger,
        cluster=admin.cluster.with_token(password),
        openbao=admin.openbao.with_token(password),
    )


def _names(team: Team, other: Team, settings: Settings, admin: Admin) -> dict[str, str]:
    """The values of the names in checks.

    `summed`, the team, is there only if its quota limits sums of CPU or memory, and hosts only if
    there are any.
    """
    operator = settings.external_secrets
    names = {
        "own": team.name,
        "other": other.name,
        "app": team.apps[0].name if team.apps else "app",
        "harbor": settings.harbor.host,
        "gateway": settings.istio.gateways[0],
        "openbao": admin.openbao.address,
        "eso": operator.api_version,
        "operator": operator.namespace,
        "operator_account": operator.service_account,
        "store": STORE_KINDS[operator.secret_store],
        "store_namespace": team.name if operator.secret_store == "tenant" else "",
    }
    if any(attrgetter(resource)(team.quota) is not None for resource in _SUMMED):
        names["summed"] = team.name
    for route in admin.objects("networking.istio.io/v1", "VirtualService", ""):
        whose = "host" if route["metadata"]["namespace"] == team.name else "other_host"
        names.setdefault(whose, route["spec"]["hosts"][0])
    return names
