"""Values of an app's ingress: hosts, paths, timeouts, retries, CORS; and who may share a host."""

from pathlib import Path

import pytest

from specs.fleet import TeamsFolder, validate_folder
from tests.written import accepted, app, entry, place, reported, rows, settings, warned

HOST = "shop.example.com"
ORIGINS = "allowOrigins: [{exact: 'https://www.example.com'}]"
STANDS = "a prefix stands for everything below it"


def ingress(keys: str) -> str:
    return app(beside=f"ingress: {{enabled: true, {keys}}}")


def at(keys: str) -> str:
    return ingress(f"host: {HOST}, {keys}")


def path(keys: str) -> str:
    return at(f"paths: [{{{keys}}}]")


def cors(keys: str) -> str:
    return at(f"cors: {{{keys}}}")


@rows(
    {
        "host and hosts": (
            ingress("host: «a.example.com, hosts: [b.example.com]"),
            "host: cannot be used with `hosts`; move it into `hosts`",
        ),
        "no host among hosts": (
            ingress("hosts: «[]"),
            "hosts: is empty; write at least one entry",
        ),
        "a host twice": (
            ingress("hosts: [a.example.com, «a.example.com]"),
            "hosts[1]: 'a.example.com' is listed twice; remove one",
        ),
        "a host of the platform": (
            ingress("hosts: [a.example.com, «harbor.sre.internal]"),
            "hosts[1]: 'harbor.sre.internal' is reserved for the platform "
            "(sre-platform:harbor.host); choose another",
        ),
        "an empty host": (
            ingress("hosts: [«'']"),
            "hosts[0]: the name is empty; write 1 to 253 characters",
        ),
        "hosts as charts list them": (
            ingress("hosts: [«{host: a.example.com, paths: [{path: /}]}]"),
            "hosts[0]: is a mapping; write a.example.com alone, and its paths under "
            "`ingress.paths`",
        ),
        "no paths": (at("paths: «[]"), "paths: is empty; write at least one entry"),
        "a path twice": (
            at("paths: [{prefix: /a}, {prefix: «/a}]"),
            "paths[1].prefix: '/a' is listed twice; remove one",
        ),
        "a relative path": (
            path("prefix: «api"),
            "paths[0].prefix: 'api' is not a path; write /api",
        ),
        "an address for a path": (
            path("prefix: «'https://a.example.com/api'"),
            "paths[0].prefix: 'https://a.example.com/api' is not a path; write /api",
        ),
        "a path with a final slash": (
            path("prefix: «/api/"),
            "paths[0].prefix: '/api/' ends with '/', but a prefix stands for whole segments: "
            "write /api",
        ),
        "a wildcard": (
            path("prefix: «/api/*"),
            f"paths[0].prefix: '/api/*' contains a wildcard, but {STANDS}; write /api",
        ),
        "a query": (
            path("prefix: «/api?x=1"),
            "paths[0].prefix: '/api?x=1' contains a query or fragment; write only the path",
        ),
        "an encoded character": (
            path("prefix: «/a%2Fb"),
            "paths[0].prefix: '/a%2Fb' contains '%'; use letters, digits and -._~!$&'()+,;=:@ only",
        ),
        "a way up": (
            path("prefix: «/a/../b"),
            "paths[0].prefix: '/a/../b' has an empty segment, '.' or '..', which Istio resolves "
            "before it compares; write the plain path",
        ),
        "an empty segment": (
            path("prefix: «/a//b"),
            "paths[0].prefix: '/a//b' has an empty segment, '.' or '..', which Istio resolves "
            "before it compares; write the plain path",
        ),
        "a credential in a path": (
            path("prefix: «/ghp_0123456789abcdefghijABCDEFGHIJ012345"),
            "paths[0].prefix: contains a GitHub token, which everyone who sees the route can read; "
            "remove it",
        ),
        "Istio's match": (
            path("prefix: /a, «path: /b"),
            "paths[0].path: is not supported here; use `prefix`",
        ),
        "a rewrite and a redirect": (
            path("prefix: /a, rewrite: «{uri: /}, redirect: {uri: /b}"),
            "paths[0].rewrite: cannot be used with `redirect`; keep one of the two",
        ),
        "a rewrite of nothing": (
            path("prefix: /a, rewrite: «{}"),
            "paths[0].rewrite: changes nothing; add `uri` or `authority`",
        ),
        "a redirect to another scheme only": (
            path("prefix: /a, redirect: «{scheme: https}"),
            "paths[0].redirect: leads back to the same address; add `uri` or `authority`",
        ),
        "a redirect to itself": (
            path("prefix: /a, redirect: «{uri: /a/b}"),
            "paths[0].redirect: leads back to the same path, without end; lead to another path or "
            "host",
        ),
        "a redirect to its own host": (
            path(f"prefix: /a, redirect: «{{authority: {HOST}}}"),
            "paths[0].redirect: leads back to the same path, without end; lead to another path or "
            "host",
        ),
        "a code that is no redirect": (
            path("prefix: /a, redirect: {uri: /b, redirectCode: «304}"),
            "paths[0].redirect.redirectCode: 304 is not a redirect that Istio sends; use 301 or "
            "308 (permanent), 302, 303 or 307 (temporary)",
        ),
        "a time without a unit": (
            at("timeout: «'30'"),
            "timeout: '30' is not a duration; write one such as 30s, 1m30s or 500ms",
        ),
        "a time in days": (
            at("timeout: «1d"),
            "timeout: '1d' is not a duration; write one such as 30s, 1m30s or 500ms",
        ),
        "no time": (
            at("timeout: «0s"),
            "timeout: '0s' is below 1ms, the least that Istio accepts; raise or remove it",
        ),
        "a fraction of a millisecond": (
            at("timeout: «1.5ms"),
            "timeout: '1.5ms' is not a whole number of milliseconds; round it",
        ),
        "a time beyond Go's": (
            at("timeout: «2562048h"),
            "timeout: '2562048h' is too long for Istio; shorten it",
        ),
        "retries without a number": (
            at("retries: «{perTryTimeout: 2s}"),
            "retries.attempts: is missing; add it, such as `attempts: 3`",
        ),
        "a condition of no retries": (
            at("retries: {attempts: 0, retryOn: «reset}"),
            "retries.retryOn: applies only if `attempts` is above 0; remove it",
        ),
        "fewer than no retries": (
            at("retries: {attempts: «-1}"),
            "retries.attempts: -1 is below 0; write 0 or more",
        ),
        "spaces between conditions": (
            at("retries: {attempts: 1, retryOn: «'5xx, reset'}"),
            "retries.retryOn: '5xx, reset' contains spaces; separate conditions with commas only",
        ),
        "no site": (
            cors("allowOrigins: «[]"),
            "cors.allowOrigins: is empty; write at least one entry",
        ),
        "an origin of no kind": (
            cors("allowOrigins: [«{}]"),
            "cors.allowOrigins[0]: has neither exact nor prefix; add one of the two",
        ),
        "an origin of both kinds": (
            cors("allowOrigins: [«{exact: 'https://a.b', prefix: 'https://a.b:'}]"),
            "cors.allowOrigins[0]: has both; keep one of the two",
        ),
        "a prefix that has a port": (
            cors("allowOrigins: [{prefix: «'http://a.example.com:8080:'}]"),
            "cors.allowOrigins[0].prefix: 'http://a.example.com:8080:' already has a port; write "
            "it in `exact`, without the last ':'",
        ),
        "a prefix of other hosts": (
            cors("allowOrigins: [{prefix: «'https://a.example.com'}]"),
            "cors.allowOrigins[0].prefix: 'https://a.example.com' also begins the origins of other "
            "sites, such as https://a.example.com.example.org; use `exact`, or end with ':' for "
            "all ports of a host",
        ),
        "a regular expression": (
            cors("allowOrigins: [{«regex: '.*'}]"),
            "cors.allowOrigins[0].regex: is not supported here; it easily admits other sites; list "
            "them with `exact`",
        ),
        "an origin with a path": (
            cors("allowOrigins: [{exact: «'https://a.example.com/x'}]"),
            "cors.allowOrigins[0].exact: 'https://a.example.com/x' is not an origin; write scheme "
            "and host of one site, such as https://www.example.com",
        ),
        "an origin with a final slash": (
            cors("allowOrigins: [{exact: «'https://a.example.com/'}]"),
            "cors.allowOrigins[0].exact: 'https://a.example.com/' ends with '/', which origins "
            "never do; write https://a.example.com",
        ),
        "an origin with the default port": (
            cors("allowOrigins: [{exact: «'https://a.example.com:443'}]"),
            "cors.allowOrigins[0].exact: 'https://a.example.com:443' has its scheme's own port, "
            "which browsers omit; write https://a.example.com",
        ),
        "the origin of sandboxes": (
            cors("allowOrigins: [{exact: «'null'}]"),
            "cors.allowOrigins[0].exact: 'null' is the origin of any sandboxed page, whoever wrote "
            "it; list the sites' origins",
        ),
        "any site with credentials": (
            cors("allowOrigins: [{exact: «'*'}], allowCredentials: true"),
            "cors.allowOrigins[0].exact: lets every site act with its visitors' credentials "
            "(allowCredentials); list the sites",
        ),
        "any header with credentials": (
            cors(f"{ORIGINS}, allowHeaders: [«'*'], allowCredentials: true"),
            "cors.allowHeaders[0]: stands for itself, and not for all, where browsers send "
            "credentials (allowCredentials); list them",
        ),
        "an unknown method": (
            cors(f"{ORIGINS}, allowMethods: [«get]"),
            "cors.allowMethods[0]: 'get' is not one of GET, HEAD, POST, PUT, PATCH, DELETE, "
            "OPTIONS, CONNECT, TRACE, *; did you mean GET?",
        ),
        "no header's name": (
            cors(f"{ORIGINS}, allowHeaders: [«'X-A: b']"),
            "cors.allowHeaders[0]: 'X-A: b' is not a header's name; write one such as X-Request-Id",
        ),
        "a fraction of a second for browsers": (
            cors(f"{ORIGINS}, maxAge: «1500ms"),
            "cors.maxAge: '1500ms' is not a whole number of seconds; round it",
        ),
    }
)
def test_a_wrong_ingress_is_refused(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    problems = reported(tmp_path, text)
    assert problems == [f"tenants/team-alpha.yaml:{where}: apps[0].ingress.{said}"]


def test_an_unknown_condition_of_retries_is_refused_with_all_that_there_are(tmp_path: Path) -> None:
    (problem,) = reported(tmp_path, at("retries: {attempts: 1, retryOn: '5xx,timeout'}"))
    assert (
        "'timeout' is not a condition of Envoy's retries; use status codes such as 503" in problem
    )
    assert "gateway-error" in problem


@pytest.mark.parametrize(
    "keys",
    [
        "paths: [{prefix: /}]",
        "paths: [{prefix: /v1.2/~user/a-b_c:d@e}]",
        f"paths: [{{prefix: {'/a' * 512}}}]",
        "paths: [{prefix: /old, redirect: {uri: /old, authority: other.example.com}}]",
        "paths: [{prefix: /old, redirect: {uri: /old, port: 8443}}]",
        "paths: [{prefix: /, redirect: {uri: /app/}}, {prefix: /app}]",
        "timeout: 1.5s",
        "timeout: 1h1m1s1ms",
        "timeout: 2562047h",
        "retries: {attempts: 0}",
        "retries: {attempts: 2, retryOn: '5xx,gateway-error,503,cancelled'}",
        "cors: {allowOrigins: [{exact: '*'}], allowHeaders: ['*'], allowMethods: ['*']}",
        "cors: {allowOrigins: [{exact: 'http://localhost:3000'}, {prefix: 'http://127.0.0.1:'}]}",
        "cors: {allowOrigins: [{exact: 'capacitor://localhost'}], maxAge: 1.5m}",
    ],
)
def test_a_right_ingress_is_accepted(tmp_path: Path, keys: str) -> None:
    accepted(tmp_path, at(keys))


def test_a_port_of_any_length_is_reported_as_a_port(tmp_path: Path) -> None:
    """Python converts no number of so many digits."""
    (said,) = reported(tmp_path, cors(f"allowOrigins: [{{exact: 'https://a.b:{'9' * 5000}'}}]"))
    assert said.endswith("has no valid port; use 1 to 65535")


def test_redirects_that_lead_to_each_other_are_reported(tmp_path: Path) -> None:
    ring = (
        "paths: [{prefix: /a, redirect: {uri: /b/x}}, {prefix: /b, redirect: {uri: /a}}, "
        "{prefix: /c, redirect: {uri: /a}}]"
    )
    found = reported(tmp_path, at(ring))
    assert [line.split(": ")[1] for line in found] == [
        f"apps[0].ingress.paths[{index}].redirect" for index in (0, 1)
    ]
    accepted(tmp_path, at(ring.replace("uri: /a}", "uri: /d}")))


def sharing(tmp_path: Path, *ingresses: str, team: str = "team-alpha") -> list[str]:
    """The problems of a team whose apps have these ingresses."""
    names = ["shop", "cart", "blog"]
    apps = [
        entry(
            beside=f"ingress: {{enabled: true, {keys}}}",
            name=name,
            image=f"{{repository: harbor.sre.internal/{team}/{name}, tag: v1}}",
        )
        for name, keys in zip(names, ingresses, strict=False)
    ]
    (tmp_path / f"{team}.yaml").write_text(f"team: {team}\napps:\n{''.join(apps)}")
    fleet = validate_folder(TeamsFolder(tmp_path, "tenants"), settings())
    return [str(problem) for problem in fleet.problems]


def test_apps_of_a_team_share_a_host_with_different_paths(tmp_path: Path) -> None:
    assert (
        sharing(
            tmp_path,
            f"host: {HOST}",
            f"host: {HOST}, paths: [{{prefix: /cart}}, {{prefix: /api/cart}}]",
            f"host: {HOST}, paths: [{{prefix: /api}}, {{prefix: /cartx}}]",
        )
        == []
    )


def test_a_redirect_leads_to_a_path_of_another_app_of_the_team(tmp_path: Path) -> None:
    start = f"host: {HOST}, paths: [{{prefix: /, redirect: {{uri: /shop}}}}]"
    assert sharing(tmp_path, start, f"host: {HOST}, paths: [{{prefix: /shop}}]") == []
    (said,) = sharing(tmp_path, start, f"host: {HOST}, paths: [{{prefix: /shop/a}}]")
    assert "leads back to the same path" in said


def test_the_same_path_of_a_host_in_two_apps_is_refused_with_both_places(tmp_path: Path) -> None:
    one = f"host: {HOST}, paths: [{{prefix: /a}}, {{prefix: /b}}]"
    other = f"hosts: [x.example.com, {HOST}], paths: [{{prefix: /b}}]"
    assert sharing(tmp_path, one, other) == [
        f"tenants/team-alpha.yaml:12:89: apps[1].ingress.paths[0].prefix: '{HOST}/b' is already "
        "used in tenants/team-alpha.yaml:7; choose another, or give each app its own "
        "`ingress.paths`"
    ]


def test_a_team_does_not_get_a_path_of_another_team_s_host(tmp_path: Path) -> None:
    sharing(tmp_path, f"host: {HOST}, paths: [{{prefix: /a}}]", team="team-alpha")
    two = f"hosts: [x.example.com, {HOST}], paths: [{{prefix: /b}}]"
    assert sharing(tmp_path, two, team="team-beta") == [
        f"tenants/team-beta.yaml:7:53: apps[0].ingress.hosts[1]: host '{HOST}' is already used in "
        "tenants/team-alpha.yaml:7; choose another"
    ]


def test_a_path_inside_another_app_s_needs_the_same_hosts(tmp_path: Path) -> None:
    around = f"hosts: [{HOST}, www.example.com], paths: [{{prefix: /api}}]"
    inside = f"host: {HOST}, paths: [{{prefix: /api/cart}}]"
    assert sharing(tmp_path, around, inside) == [
        "tenants/team-alpha.yaml:12:71: apps[1].ingress.paths[0].prefix: is inside '/api' of app "
        "'shop', which has it on www.example.com too; list the same hosts in both"
    ]
    everything = f"hosts: [{HOST}, www.example.com]"
    assert sharing(tmp_path, everything, inside) == []


def test_a_try_that_may_take_the_whole_time_is_warned_about(tmp_path: Path) -> None:
    text, where = place(at("timeout: 2s, retries: {attempts: 2, perTryTimeout: «2000ms}"))
    assert warned(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].ingress.retries.perTryTimeout: warning: 2000ms "
        "is not below ingress.timeout 2s, so a try that takes too long is never repeated; lower "
        "it, or raise the timeout"
    ]
    assert warned(tmp_path, at("timeout: 2s, retries: {attempts: 2, perTryTimeout: 1s}")) == []
