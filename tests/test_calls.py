"""What an app calls and who may call it: what one file and its stack say about that."""

from pathlib import Path
from typing import Any

import pytest

from specs.stack_file import read_stack
from tests.written import ISTIO, app, entry, place, reported, rows, team, warned

DATABASES = {"databases": {"namespace": "databases", "ports": (5432,)}}
ENFORCED = {**ISTIO, "authorization": "enforce"}
IN_CLUSTER = (
    "is a name inside the cluster; name what it leads to by `team` and `app`, or by `platform`"
)


def calling(*calls: str) -> str:
    """An app with calls, beside a web-app `rates` and a worker `mailer`."""
    image = "{repository: harbor.sre.internal/team-alpha/rates, tag: v1}"
    listed = "\n".join(f"  - {call}" for call in calls)
    return (
        app(beside=f"calls:\n{listed}")
        + entry(name="rates", image=image)
        + entry(name="mailer", image=image, archetype="worker")
    )


def called(*callers: str, in_app: str = "") -> str:
    """An app with callers."""
    listed = "\n".join(f"  - {caller}" for caller in callers)
    return app(in_app, beside=f"callers:\n{listed}")


def lines(path: Path, text: str, **changes: Any) -> list[str]:
    return reported(path, text, network={"platform": DATABASES}, **changes)


@pytest.mark.parametrize(
    "call",
    [
        "{app: rates}",
        "{team: team-beta, app: ledger}",
        "{host: api.stripe.com}",
        "{host: Api.Stripe.com., port: 80}",
        '{host: "*.s3.eu-central-1.amazonaws.com"}',
        "{host: xn--80ak6aa92e.xn--p1ai}",
        "{host: smtp.example.com, port: 587}",
        "{cidr: 10.200.0.0/16, port: 8443}",
        "{cidr: 0.0.0.0/0, port: 8443}",  # as `additionalEgress` may: a port restricts it
        '{cidr: "2001:db8::/32", port: 8443}',
        "{platform: databases}",
    ],
)
def test_a_call_names_an_app_a_host_addresses_or_a_service(tmp_path: Path, call: str) -> None:
    assert lines(tmp_path, calling(call)) == []


@rows(
    {
        "nothing": ("«{}", ": names nothing to call; add one of app, host, cidr, platform"),
        "a team alone": (
            "«{team: team-beta}",
            ": names a team, but no app; write `{team: team-beta, app: NAME}`",
        ),
        "two": (
            "{app: rates, host: «api.stripe.com}",
            ".host: cannot be used with `app`; write it as another entry of `calls`",
        ),
        "a team alone whose name YAML reads as a number": (
            "«{team: '1e3'}",
            ': names a team, but no app; write `{team: "1e3", app: NAME}`',
        ),
        "a range of IPv6 without a port": (
            "{cidr: «'fd00::/8'}",
            '.cidr: needs a port; write `{cidr: "fd00::/8", port: 8443}`, with the right number',
        ),
        "a team's host": (
            "{team: «team-beta, host: api.stripe.com}",
            ".team: applies only to `app`, not to `host`; remove it",
        ),
        "a team's service": (
            "{team: «team-beta, platform: databases}",
            ".team: applies only to `app`, not to `platform`; remove it",
        ),
        "an app's port": (
            "{app: rates, port: «8080}",
            ".port: applies only to `host` and `cidr`: an app is called on its `app.port`; "
            "remove it",
        ),
        "a service's port": (
            "{platform: databases, port: «5432}",
            ".port: applies only to `host` and `cidr`: the stack says which ports the service "
            "has; remove it",
        ),
        "addresses without a port": (
            "{cidr: «10.200.0.0/16}",
            ".cidr: needs a port; write `{cidr: 10.200.0.0/16, port: 8443}`, with the right number",
        ),
        "the own team": (
            "{team: «team-alpha, app: rates}",
            ".team: 'team-alpha' is this file's own team; remove it",
        ),
        "no app": (
            "{app: «ratse}",
            ".app: this team has no app 'ratse'; did you mean rates?",
        ),
        "no app of a similar name": (
            "{app: «payments}",
            ".app: this team has no app 'payments'; use one of: rates",
        ),
        "itself": (
            "{app: «my-api}",
            ".app: 'my-api' is this app itself, whose pods may call each other anyway; remove it",
        ),
        "a worker": (
            "{app: «mailer}",
            ".app: 'mailer' is a worker, and only a web-app can be called; remove it",
        ),
        "no service": (
            "{platform: «database}",
            ".platform: 'database' is not a service of the platform; did you mean databases?",
        ),
        "no service of a similar name": (
            "{platform: «kafka}",
            ".platform: 'kafka' is not a service of the platform; use one of: databases",
        ),
        "a Service": (
            "{host: «ledger.team-beta.svc}",
            f".host: 'ledger.team-beta.svc' {IN_CLUSTER}",
        ),
        "a Service by its full name": (
            "{host: «ledger.team-beta.svc.cluster.local.}",
            f".host: 'ledger.team-beta.svc.cluster.local.' {IN_CLUSTER}",
        ),
        "a Service of another namespace": (
            "{host: «ledger.team-beta}",
            f".host: 'ledger.team-beta' {IN_CLUSTER}",
        ),
        "a Service of the platform": (
            "{host: «postgres.databases}",
            f".host: 'postgres.databases' {IN_CLUSTER}",
        ),
        "the API server": (
            "{host: «kubernetes.default}",
            f".host: 'kubernetes.default' {IN_CLUSTER}",
        ),
        "all Services of a namespace": (
            "{host: «'*.team-beta.svc'}",
            f".host: '*.team-beta.svc' {IN_CLUSTER}",
        ),
        "all Services": (
            "{host: «'*.cluster.local'}",
            f".host: '*.cluster.local' {IN_CLUSTER}",
        ),
        "an address as a host": (
            "{host: «10.0.0.1}",
            ".host: '10.0.0.1' is an address; write it in `cidr`, such as `cidr: 10.0.0.1/32`",
        ),
        "half an address as a host": (
            "{host: «127.1}",
            ".host: '127.1' is an address; write it in `cidr`, such as `cidr: 10.200.0.0/16`",
        ),
        "an address of IPv6 as a host": (
            "{host: «'[fd00::1]'}",
            ".host: '[fd00::1]' is an address; write it in `cidr`, such as `cidr: \"fd00::1/128\"`",
        ),
        "an address of IPv6 with a port as a host": (
            "{host: «'[fd00::1]:80'}",
            ".host: is not a host: '[fd00::1]:80' is an IP address; write a name such as "
            "grafana.sre.example.com",
        ),
        "an address of IPv6 without its length": (
            "{cidr: «'fd00::1', port: 443}",
            ".cidr: 'fd00::1' has no prefix length; write fd00::1/128 for one address",
        ),
        "a host with its port": (
            "{host: «'db.example.com:5432'}",
            ".host: 'db.example.com:5432' contains a port; write it in `port`",
        ),
        "a host with a path": (
            "{host: «db.example.com/x}",
            ".host: is not a host: 'db.example.com/x' contains a path; write db.example.com",
        ),
        "a host with a user": (
            "{host: «'amqp://me:hidden@db.example.com'}",
            ".host: is not a host: it contains a user name or an '@'; write one such as "
            "grafana.sre.example.com",
        ),
        "a host that Istio refuses": (
            f"{{host: «{'a' * 64}.com}}",
            f".host: is not a host: '{'a' * 40}'... has 64 characters; use 63 at most",
        ),
        "every host": (
            "{host: «'*'}",
            ".host: is not a host: it covers every host; name a domain, such as *.example.com",
        ),
        "a '*' in another place": (
            "{host: «'api.*.example.com'}",
            ".host: is not a host: '*' must be its whole first label; write one such as "
            "*.example.com",
        ),
        "all of a top-level domain": (
            "{host: «'*.com'}",
            ".host: '*.com' covers every name below '.com'; name a narrower domain, such as "
            "*.example.com",
        ),
    }
)
def test_what_is_wrong_with_a_call_is_reported_in_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(calling(text))
    assert lines(tmp_path, text) == [f"tenants/team-alpha.yaml:{where}: apps[0].calls[0]{said}"]


SIDECARS = "is a port of every sidecar, which rejects a second listener there; use another port"


@pytest.mark.parametrize("port", [15001, 15006])
@pytest.mark.parametrize("target", ["host: x.example.com", "cidr: 10.200.0.0/16"])
def test_no_call_leads_to_a_port_on_which_sidecars_listen(
    tmp_path: Path, target: str, port: int
) -> None:
    text, where = place(calling(f"{{{target}, port: «{port}}}"))
    assert lines(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].calls[0].port: {port} {SIDECARS}"
    ]
    assert lines(tmp_path, calling(f"{{{target}, port: {port + 100}}}")) == []


def test_a_stack_without_services_says_that_it_has_none(tmp_path: Path) -> None:
    text, where = place(calling("{platform: «databases}"))
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].calls[0].platform: 'databases' is not a service "
        "of the platform; the stack defines none (sre-platform:network: platform); ask the "
        "platform team"
    ]


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (["{app: rates}", "«{app: rates}"], "{app: rates}"),
        (
            ["{team: team-beta, app: ledger}", "«{app: ledger, team: team-beta}"],
            "{team: team-beta, app: ledger}",
        ),
        (
            ["{host: api.stripe.com}", "«{host: API.stripe.com., port: 443}"],
            "{host: api.stripe.com, port: 443}",
        ),
        (
            ['{cidr: "2001:db8::/32", port: 1}', '«{cidr: "2001:0DB8::/32", port: 1}'],
            '{cidr: "2001:db8::/32", port: 1}',
        ),
        (["{platform: databases}", "«{platform: databases}"], "{platform: databases}"),
        (
            ["{host: '*.example.com'}", "«{host: '*.example.com', port: 443}"],
            '{host: "*.example.com", port: 443}',
        ),
        (
            ["{team: 'on', app: '10'}", "«{team: 'on', app: '10'}"],
            '{team: "on", app: "10"}',
        ),
    ],
)
def test_one_target_is_listed_once(tmp_path: Path, calls: list[str], said: str) -> None:
    text, where = place(calling(*calls))
    assert lines(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].calls[1]: '{said}' is listed twice; remove one"
    ]


def test_a_host_may_be_called_on_several_ports(tmp_path: Path) -> None:
    calls = ["{host: mail.example.com, port: 25}", "{host: mail.example.com, port: 587}"]
    assert lines(tmp_path, calling(*calls)) == []


def test_two_hosts_do_not_share_the_name_of_a_service_entry(tmp_path: Path) -> None:
    text, where = place(calling("{host: a.b.example.com}", "{host: «a-b.example.com}"))
    assert lines(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].calls[1].host: its ServiceEntry "
        "'my-api-a-b-example-com' is already used for a.b.example.com; use a wildcard for both, "
        "or `cidr` for one"
    ]


def test_the_host_of_a_service_counts_as_well(tmp_path: Path) -> None:
    smtp = {"smtp": {"host": "a-b.example.com", "ports": (25,)}}
    text, where = place(calling("{host: a.b.example.com}", "{platform: «smtp}"))
    assert reported(tmp_path, text, network={"platform": smtp}) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].calls[1].platform: its ServiceEntry "
        "'my-api-a-b-example-com' is already used for a.b.example.com; use a wildcard for both, "
        "or `cidr` for one"
    ]


def test_two_apps_do_not_share_the_name_of_a_service_entry(tmp_path: Path) -> None:
    image = "{repository: harbor.sre.internal/team-alpha/my, tag: v1}"
    text, where = place(
        app(beside="calls: [{host: x.example.com}]", name="my")
        + entry(beside="calls: [{host: example.com}]", name="«my-x", image=image)
    )
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[1].app.name: its ServiceEntry 'my-x-example-com' "
        "is already created by app 'my'; rename one"
    ]


def test_two_apps_do_not_share_the_name_of_a_range_s_service_entry(tmp_path: Path) -> None:
    image = "{repository: harbor.sre.internal/team-alpha/my, tag: v1}"
    text, where = place(
        app(beside="calls: [{cidr: 10.1.0.0/16, port: 443}]", name="my")
        + entry(beside="calls: [{host: 1.0.0-16}]", name="«my-10", image=image)
    )
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[1].app.name: its ServiceEntry 'my-10-1-0-0-16' "
        "is already created by app 'my'; rename one"
    ]


def test_the_name_of_a_service_entry_is_not_too_long(tmp_path: Path) -> None:
    host = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.com"
    text, where = place(calling(f"{{host: «{host}}}"))
    assert lines(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].calls[0].host: its ServiceEntry's name would "
        f"have 254 characters, but Kubernetes allows 253; use a wildcard, such as "
        f"*.{host.partition('.')[2]}"
    ]


@pytest.mark.parametrize(
    "key", ["calls: «[{host: api.stripe.com}]", "callers: «[{team: b, app: c}]"]
)
def test_calls_and_callers_need_the_apps_network_policy(tmp_path: Path, key: str) -> None:
    text, where = place(app(beside=f"networkPolicy: {{enabled: false}}\n{key}"))
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].{key.partition(':')[0]}: needs "
        "`networkPolicy.enabled`, because the app's NetworkPolicy opens what is listed here; turn "
        "it on, or remove this"
    ]


@pytest.mark.parametrize(
    ("caller", "in_app"),
    [
        ("{team: team-beta, app: front}", ""),
        ("{team: team-beta, app: front}", "protocol: tcp"),
        (
            "{team: b, app: c, paths: [/v1/*, /status, '*/info', '*.html'], methods: [GET]}",
            "",
        ),
        (
            "{team: team-beta, app: front, paths: [/, '*', /*, /.well-known/*, /v1/]}",
            "protocol: http2",
        ),
        (
            "{team: team-beta, app: front, paths: [/shop.Prices/*], methods: [POST]}",
            "protocol: grpc",
        ),
    ],
)
def test_a_caller_may_be_held_to_paths_and_methods(
    tmp_path: Path, caller: str, in_app: str
) -> None:
    assert reported(tmp_path, called(caller, in_app=in_app)) == []


@rows(
    {
        "the own team": (
            "{team: «team-alpha, app: front}",
            ".team: 'team-alpha' is this file's own team, whose apps need no entry here; remove "
            "it, and list this app in the `calls` of front",
        ),
        "no app": ("«{team: team-beta}", ".app: is missing; add it"),
        "a star inside": (
            "{team: team-beta, app: front, paths: [«/v1/*/items]}",
            ".paths[0]: '/v1/*/items' has a `*` inside; write one at the end or the beginning, "
            "such as /v1/*",
        ),
        "a star at both ends": (
            "{team: team-beta, app: front, paths: [«'*items*']}",
            ".paths[0]: '*items*' has a `*` inside; write one at the end or the beginning, "
            "such as /v1/*",
        ),
        "a template": (
            "{team: team-beta, app: front, paths: [«'/v1/{*}/items']}",
            ".paths[0]: '/v1/{*}/items' has a template, which is not supported; end it with a `*`",
        ),
        "no slash": (
            "{team: team-beta, app: front, paths: [«v1/*]}",
            ".paths[0]: 'v1/*' is not a path; write /v1/*",
        ),
        "a query": (
            "{team: team-beta, app: front, paths: [«'/v1?all=*']}",
            ".paths[0]: '/v1?all=*' contains a query or fragment; write only the path",
        ),
        "none": (
            "{team: team-beta, app: front, paths: «[]}",
            ".paths: is empty; write at least one entry",
        ),
        "a path twice": (
            "{team: team-beta, app: front, paths: [/v1, «/v1]}",
            ".paths[1]: '/v1' is listed twice; remove one",
        ),
        "a method that is none": (
            "{team: team-beta, app: front, methods: [«get]}",
            ".methods[0]: 'get' is not one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS; did "
            "you mean GET?",
        ),
    }
)
def test_what_is_wrong_with_a_caller_is_reported_in_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(called(text))
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].callers[0]{said}"
    ]


def test_a_caller_is_listed_once_with_all_that_it_may_do(tmp_path: Path) -> None:
    text, where = place(
        called(
            "{team: team-beta, app: front, paths: [/v1/*]}",
            "«{team: team-beta, app: front, methods: [GET]}",
        )
    )
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].callers[1]: '{{team: team-beta, app: front}}' "
        "is listed twice; write one entry with all its paths and methods"
    ]


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
@pytest.mark.parametrize("key", ["paths: «[/v1]", "methods: «[GET]"])
def test_only_http_has_paths_and_methods(tmp_path: Path, protocol: str, key: str) -> None:
    text, where = place(
        called(f"{{team: team-beta, app: front, {key}}}", in_app=f"protocol: {protocol}")
    )
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].callers[0].{key.partition(':')[0]}: applies "
        f"only to HTTP and gRPC, but `app.protocol` is {protocol}; remove it"
    ]


def test_grpc_has_one_method(tmp_path: Path) -> None:
    text, where = place(
        called("{team: team-beta, app: front, methods: [POST, «GET]}", in_app="protocol: grpc")
    )
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].callers[0].methods[1]: GET is never used by "
        "gRPC, whose calls are all POST; remove it"
    ]


def test_a_worker_has_no_callers(tmp_path: Path) -> None:
    text, where = place(app(beside="«callers: [{team: b, app: c}]", archetype="worker"))
    assert reported(tmp_path, text) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].callers: does not fit a worker, only a web-app; "
        "remove it or change `archetype`"
    ]


DECLARED = "namespace: {internalTraffic: «declared}\n"


@pytest.mark.parametrize("istio", [{}, {"authorization": "audit"}])
def test_a_namespace_is_closed_inside_only_where_the_mesh_enforces(
    tmp_path: Path, istio: dict[str, str]
) -> None:
    text, where = place(team(DECLARED))
    assert reported(tmp_path, text, istio=istio) == [
        f"tenants/team-alpha.yaml:{where}: namespace.internalTraffic: declared needs "
        "`istio.authorization: enforce` in the stack; write open, or ask the platform team"
    ]
    assert reported(tmp_path, text, istio=ENFORCED) == []


def test_a_closed_namespace_opens_an_app_only_by_its_network_policy(tmp_path: Path) -> None:
    image = "{repository: harbor.sre.internal/team-alpha/rates, tag: v1}"
    off = "networkPolicy: {enabled: false}"
    text, where = place(
        app(beside="calls: [{app: «rates}]")
        + entry(beside=off, name="rates", image=image)
        + "namespace: {internalTraffic: declared}\n"
    )
    assert reported(tmp_path, text, istio=ENFORCED) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].calls[0].app: 'rates' has "
        "`networkPolicy.enabled: false`, so no rule can admit this app; turn it on there"
    ]


def test_pods_of_one_app_reach_each_other_in_a_closed_namespace_if_it_calls_itself(
    tmp_path: Path,
) -> None:
    closed = app(beside="calls: [{app: my-api}]") + "namespace: {internalTraffic: declared}\n"
    assert reported(tmp_path, closed, istio=ENFORCED) == []


def test_paths_that_nothing_holds_are_warned_of(tmp_path: Path) -> None:
    text, where = place(called("{team: team-beta, app: front, paths: «[/v1/*]}"))
    said = (
        f"tenants/team-alpha.yaml:{where}: apps[0].callers[0].paths: warning: has no effect "
        "in a stack without `istio.authorization: enforce`: every request is let through; remove "
        "it, or ask the platform team"
    )
    assert warned(tmp_path, text) == [said]
    assert warned(tmp_path, text, istio={**ISTIO, "authorization": "audit"}) == [said]
    assert warned(tmp_path, text, istio=ENFORCED) == []


def test_an_app_without_an_account_of_its_own_opens_its_calls_to_others(tmp_path: Path) -> None:
    image = "{repository: harbor.sre.internal/team-alpha/rates, tag: v1}"
    off = "autoscaling: {enabled: false}"
    text, where = place(
        app(beside=f"calls: [{{app: rates}}]\nserviceAccount: {{create: «false}}\n{off}")
        + entry(beside=off, name="rates", image=image)
        + "namespace: {internalTraffic: declared}\n"
    )
    assert warned(tmp_path, text, istio=ENFORCED) == [
        f"tenants/team-alpha.yaml:{where}: apps[0].serviceAccount.create: warning: the mesh "
        "identifies an app by its ServiceAccount, so every app of the namespace without one of its "
        "own may call what this app calls; turn it on"
    ]


@pytest.mark.parametrize(
    "call",
    [
        "{team: «[team-beta], app: ledger}",
        "{cidr: 10.0.0.0/8, port: «x}",
        "{app: rates, host: «[a]}",
    ],
)
def test_of_a_call_with_a_wrong_value_only_that_is_reported(tmp_path: Path, call: str) -> None:
    text, where = place(calling(call))
    (line,) = lines(tmp_path, text)
    assert line.startswith(f"tenants/team-alpha.yaml:{where}: ")


NAMED = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}}"


def rule(peer: str, ports: str = "[{port: 8080}]", beside: str = "") -> str:
    """An app with a rule that lets somebody in."""
    entries = f"additionalIngress:\n    - «{{from: [{peer}], ports: {ports}}}"
    return app(beside=f"networkPolicy:\n  {entries}\n{beside}")


@pytest.mark.parametrize(
    "text",
    [
        rule(NAMED.replace("NAME", "team-beta")),
        rule("{ipBlock: {cidr: 10.0.0.0/8}}", "[{port: 53, protocol: UDP}, {port: 53}]"),
        rule("{namespaceSelector: {matchLabels: {a: b}}}"),
        rule(NAMED.replace("NAME", "monitoring")),
        rule("{podSelector: {}}") + "namespace: {internalTraffic: declared}\n",
        rule(
            NAMED.replace("NAME", "team-beta")[:-1]
            + ", podSelector: {matchLabels: {app.kubernetes.io/name: web}}}",
            beside="callers: [{team: team-beta, app: front}]",
        ),
    ],
)
def test_a_rule_whose_connections_the_mesh_refuses_is_warned_of(tmp_path: Path, text: str) -> None:
    text, where = place(text)
    found = warned(tmp_path, text, istio=ENFORCED)
    assert found == [
        f"tenants/team-alpha.yaml:{where}: apps[0].networkPolicy.additionalIngress[0]: warning: "
        "has no effect in a stack with `istio.authorization: enforce`: the mesh refuses whom this "
        "lets in; list them in `callers`, or in `calls` of this team's apps, or remove this"
    ]
    assert warned(tmp_path, text.replace("declared", "open")) == []


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        (rule(NAMED.replace("NAME", "istio-system")), "merged"),
        (rule("{podSelector: {}}"), "merged"),
        (rule(NAMED.replace("NAME", "monitoring")), "mesh"),
        (rule("{ipBlock: {cidr: 10.0.0.0/8}}", "[{port: 53, protocol: UDP}]"), "merged"),
        (
            rule(
                NAMED.replace("NAME", "team-beta")[:-1]
                + ", podSelector: {matchLabels: {app.kubernetes.io/name: web}}}",
                beside="callers: [{team: team-beta, app: web}]",
            ),
            "merged",
        ),
    ],
)
def test_a_rule_for_whom_the_mesh_admits_is_not_warned_of(
    tmp_path: Path, text: str, metrics: str
) -> None:
    text, _ = place(text)
    assert warned(tmp_path, text, istio=ENFORCED, metrics={"scrape": metrics}) == []


def of_stack(path: Path, service: str) -> list[str]:
    """What is wrong with a stack that defines a service."""
    (path / "tenants").mkdir(exist_ok=True)
    (path / "tenants" / "team-beta.yaml").write_text("team: team-beta\n")
    file = path / "Pulumi.test.yaml"
    file.write_text(
        "config:\n"
        '  sre-platform:teams: "*"\n'
        "  sre-platform:kubernetes: {clusterIdentifier: test}\n"
        "  sre-platform:network:\n"
        "    platform:\n"
        f"      smtp: {service}\n"
    )
    return [str(problem) for problem in read_stack(path, "test")[1]]


@pytest.mark.parametrize(
    "service",
    [
        "{namespace: databases, ports: [5432]}",
        "{namespace: databases, podLabels: {app: pg}, ports: [5432, 5433]}",
        "{host: smtp.example.com, ports: [25]}",
        "{cidrs: [10.0.0.1/32, 10.0.0.2/32], ports: [25]}",
    ],
)
def test_a_stack_defines_a_service_by_its_namespace_host_or_addresses(
    tmp_path: Path, service: str
) -> None:
    assert of_stack(tmp_path, service) == []


@rows(
    {
        "nothing": ("«{ports: [25]}", ": names nothing to call; add one of namespace, host, cidrs"),
        "two": (
            "{namespace: mail, host: «smtp.example.com, ports: [25]}",
            ".host: cannot be used with `namespace`; write it as another service",
        ),
        "labels without a namespace": (
            "{host: smtp.example.com, podLabels: «{app: pg}, ports: [25]}",
            ".podLabels: applies only to `namespace`, not to `host`; remove it",
        ),
        "a team": (
            "{namespace: «team-beta, ports: [25]}",
            ".namespace: 'team-beta' is a team's namespace, and teams' apps are called by `team` "
            "and `app`; name a namespace of the platform",
        ),
        "a name inside the cluster": (
            "{host: «smtp.mail.svc, ports: [25]}",
            ".host: 'smtp.mail.svc' is a name inside the cluster; name what it leads to by "
            "`namespace` and `podLabels`",
        ),
        "an address as its host": (
            "{host: «10.0.0.1, ports: [25]}",
            ".host: '10.0.0.1' is an address; write it in `cidrs`, such as `cidrs: [10.0.0.1/32]`",
        ),
        "another key": (
            "{«hosts: [smtp.example.com], ports: [25]}",
            ".hosts: is an unknown key; did you mean 'host'?",
        ),
        "a value without keys": (
            "«smtp.example.com",
            ": must be a mapping; write keys below it: namespace, podLabels, host, cidrs, ports",
        ),
        "a port twice": (
            "{host: smtp.example.com, ports: [25, «25]}",
            ".ports[1]: '25' is listed twice; remove one",
        ),
        "addresses twice": (
            "{cidrs: [10.0.0.1/32, «10.0.0.1/32], ports: [25]}",
            ".cidrs[1]: '10.0.0.1/32' is listed twice; remove one",
        ),
        "a port of sidecars": (
            "{host: smtp.example.com, ports: [25, «15001]}",
            f".ports[1]: 15001 {SIDECARS}",
        ),
        "addresses on a port of sidecars": (
            "{cidrs: [10.0.0.0/8], ports: [«15006]}",
            f".ports[0]: 15006 {SIDECARS}",
        ),
        "no ports": (
            "{host: smtp.example.com, ports: «[]}",
            ".ports: is empty; write at least one entry",
        ),
    }
)
def test_what_is_wrong_with_a_service_is_reported_in_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    text, where = place(f"      smtp: {text}\n")
    line, _, column = where.partition(":")
    assert of_stack(tmp_path, text.strip().removeprefix("smtp: ")) == [
        f"Pulumi.test.yaml:{int(line) + 5}:{column}: "
        f"config.sre-platform:network.platform.smtp{said}"
    ]


def test_no_team_has_the_namespace_of_a_service(tmp_path: Path) -> None:
    text, where = place("team: «databases\n")
    assert lines(tmp_path, text, name="databases") == [
        f"tenants/databases.yaml:{where}: team: 'databases' is a namespace of the platform; choose "
        "another name"
    ]
