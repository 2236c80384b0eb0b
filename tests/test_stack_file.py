"""A stack's file: what it may contain, and what is reported about anything else."""

from collections import Counter
from pathlib import Path

import pytest

from specs.stack_file import outdated, read_stack, stack_names
from tests.written import ROOT, place, rows

TEAMS = '  sre-platform:teams: "*"\n'
CLUSTER = "  sre-platform:kubernetes: {clusterIdentifier: test}\n"


def stack(text: str) -> str:
    """A stack's file that is right but for `text`."""
    return "config:\n" + TEAMS + CLUSTER + text


def reported(root: Path, text: str) -> list[str]:
    (root / "Pulumi.test.yaml").write_text(text)
    (root / "tenants").mkdir()
    (root / "tenants" / "team-alpha.yaml").write_text("team: team-alpha\n")
    settings, problems = read_stack(root, "test")
    assert problems or settings
    return [str(problem) for problem in problems]


URL = "is not a URL; write one such as https://openbao.sre.internal"


@rows(
    {
        "an unknown key": (
            stack("  «sre-platform:harbour: {}\n"),
            "harbour: is an unknown key; did you mean 'sre-platform:harbor'?",
        ),
        "labels that select every gateway pod": (
            stack("  sre-platform:istio: {gatewayPodLabels: «{}}\n"),
            "istio.gatewayPodLabels: is empty, which selects every pod; name at least one label",
        ),
        "labels that select all of the control plane's namespace": (
            stack("  sre-platform:istio: {controlPlane: {podLabels: «{}}}\n"),
            "istio.controlPlane.podLabels: is empty, which selects every pod; name at least one "
            "label",
        ),
        "a Prometheus that authorization would refuse": (
            stack(
                "  sre-platform:metrics: {scrape: plain}\n"
                "  sre-platform:istio: {authorization: «enforce}\n"
            ),
            "istio.authorization: would refuse Prometheus, which has no identity with "
            "metrics.scrape plain; set that to merged or mesh",
        ),
        "a folder of certificates that is none": (
            stack("  sre-platform:metrics: {scrape: mesh, certificates: «certs}\n"),
            "metrics.certificates: 'certs' is not a folder; write one such as /etc/prom-certs",
        ),
        "a label that monitors have already": (
            stack("  sre-platform:metrics: {labels: {app.kubernetes.io/name: «x}}\n"),
            "metrics.labels.app.kubernetes.io/name: 'app.kubernetes.io/name' is set by the "
            "program; remove it",
        ),
        "an unknown key like no other but for its prefix": (
            stack("  «sre-platform:nope: {}\n"),
            "nope: is an unknown key; use one of: sre-platform:cluster, sre-platform:teams, "
            "sre-platform:platform, sre-platform:moved, sre-platform:adopt, "
            "sre-platform:tenants, sre-platform:manage, sre-platform:kubernetes, "
            "sre-platform:namespace, sre-platform:harbor, sre-platform:openbao, "
            "sre-platform:externalSecrets, sre-platform:istio, sre-platform:network, "
            "sre-platform:metrics, sre-platform:monitoring, sre-platform:platformHosts, "
            "sre-platform:guardrails, sre-platform:exceptionMaxDays",
        ),
        "an unknown key inside": (
            stack("  sre-platform:harbor: {«hots: x}\n"),
            "harbor.hots: is an unknown key; did you mean 'host'?",
        ),
        "a key set without --path": (
            stack("  «sre-platform:openbao:address: https://x\n"),
            "openbao:address: is an unknown key; did you mean 'sre-platform:openbao'?",
        ),
        "a key twice": (
            stack("  «" + CLUSTER.lstrip()),
            "kubernetes: this key is already set on line 3; remove one",
        ),
        "a word for a truth": (
            stack("  sre-platform:platform: «'on'\n"),
            "platform: must be true or false; write it without quotes",
        ),
        "a truth for a word": (
            stack("  sre-platform:guardrails: «true\n"),
            "guardrails: 'true' is not one of deny, audit; use deny or audit",
        ),
        "a number for a word, further down": (
            stack("  sre-platform:externalSecrets: {apiVersion: «1}\n"),
            "externalSecrets.apiVersion: '1' is not one of v1, v1beta1; did you mean v1?",
        ),
        "an empty setting that is one of some words": (
            stack("  sre-platform:guardrails: «null\n"),
            "guardrails: is empty; give it a value or remove it",
        ),
        "keys in a text": (
            stack('  sre-platform:harbor: «\'{"hots": "x"}\'\n'),
            "harbor.hots: is an unknown key; did you mean 'host'?",
        ),
        "a number in a text": (
            stack("  sre-platform:harbor: «'{\"sharedProjects\": [1]}'\n"),
            'harbor.sharedProjects[0]: JSON reads this as a number; put it in quotes: "1"',
        ),
        "a truth in a text": (
            stack("  sre-platform:kubernetes: «'{\"clusterIdentifier\": true}'\n").replace(
                CLUSTER, ""
            ),
            "kubernetes.clusterIdentifier: JSON reads this as true or false; put it in quotes: "
            '"true"',
        ),
        "a number in a text that is no value with quotes either": (
            stack("  sre-platform:openbao: «'{\"address\": 1}'\n"),
            f"openbao.address: '1' {URL}",
        ),
        "another word in a text": (
            stack('  sre-platform:externalSecrets: «\'{"apiVersion": "v2"}\'\n'),
            "externalSecrets.apiVersion: 'v2' is not one of v1, v1beta1; use v1 or v1beta1",
        ),
        "a list in a text for a word": (
            stack('  sre-platform:externalSecrets: «\'{"apiVersion": ["v2"]}\'\n'),
            "externalSecrets.apiVersion: is not one of v1, v1beta1; use v1 or v1beta1",
        ),
        "a folder that is a number": (
            stack("  sre-platform:tenants: «2027\n"),
            'tenants: YAML reads this as a number; put it in quotes: "2027"',
        ),
        "a label's value that no label can have": (
            stack("  sre-platform:namespace: {allowedLabels: [{key: tier, values: [a, «x y]}]}\n"),
            "namespace.allowedLabels[0].values[1]: 'x y' is not a label value; use up to 63 "
            "letters, digits, '-', '_' and '.'",
        ),
        "an annotation's key": (
            stack("  sre-platform:namespace: {annotations: {a b: «x}}\n"),
            "namespace.annotations.a b: 'a b' is not the key of an annotation; write one such as "
            "example.com/on-call",
        ),
        "a truth in quotes below a key": (
            stack("  sre-platform:manage: {harbor: «'true'}\n"),
            "manage.harbor: must be true or false; write it without quotes",
        ),
        "an encrypted setting": (
            stack("  sre-platform:openbao: «{secure: v1:abc}\n"),
            "openbao: must not be encrypted, because no setting is secret; set it with "
            "`--plaintext`",
        ),
        "an encrypted setting inside": (
            stack("  sre-platform:harbor: {url: «{secure: v1:abc}}\n"),
            "harbor.url: must not be encrypted, because no setting is secret; set it with "
            "`--plaintext`",
        ),
        "a list for keys": (
            stack("  sre-platform:manage: «[]\n"),
            "manage: must be a mapping; write keys below it: kubernetes, harbor, openbao",
        ),
        "a list of hosts that is one": (
            stack("  sre-platform:platformHosts: «grafana.sre.example.com\n"),
            "platformHosts: must be a list; begin each entry with '- '",
        ),
        "a host with a scheme": (
            stack("  sre-platform:platformHosts: [a.b, «'https://a.b']\n"),
            "platformHosts[1]: is not a host: 'https://a.b' contains a scheme; write a.b",
        ),
        "a wildcard in the middle": (
            stack("  sre-platform:platformHosts: [«'a.*.b']\n"),
            "platformHosts[0]: is not a host: '*' must be its whole first label; write one such as "
            "*.example.com",
        ),
        "a wildcard for everything": (
            stack("  sre-platform:platformHosts: [«'*.']\n"),
            "platformHosts[0]: is not a host: it covers every host; name a domain, such as "
            "*.example.com",
        ),
        "a host without a domain": (
            stack("  sre-platform:platformHosts: [«grafana]\n"),
            "platformHosts[0]: 'grafana' has no domain; write the full name, such as "
            "grafana.sre.example.com",
        ),
        "a host without a domain, in capitals": (
            stack("  sre-platform:platformHosts: [«GRAFANA]\n"),
            "platformHosts[0]: 'GRAFANA' has no domain; write the full name, such as "
            "grafana.sre.example.com",
        ),
        "a host without a domain, with a dot at its end": (
            stack("  sre-platform:platformHosts: [«grafana.]\n"),
            "platformHosts[0]: 'grafana.' has no domain; write the full name, such as "
            "grafana.sre.example.com",
        ),
        "an address whose brackets do not match": (
            stack("  sre-platform:openbao: {address: «'https://[::1'}\n"),
            f"openbao.address: 'https://[::1' {URL}",
        ),
        "an address without a host": (
            stack("  sre-platform:openbao: {address: «'https://:8200'}\n"),
            f"openbao.address: 'https://:8200' {URL}",
        ),
        "a duration that Go does not know": (
            stack("  sre-platform:externalSecrets: {refreshInterval: «1d}\n"),
            "externalSecrets.refreshInterval: '1d' is not a duration; "
            "write one of h, m and s, such as 1h",
        ),
        "a version that is not served": (
            stack("  sre-platform:externalSecrets: {apiVersion: «v2}\n"),
            "externalSecrets.apiVersion: 'v2' is not one of v1, v1beta1; use v1 or v1beta1",
        ),
        "no gateway at all": (
            stack("  sre-platform:istio: {gateways: «[]}\n"),
            "istio.gateways: is empty; name at least one gateway",
        ),
        "an address that is no URL": (
            stack("  sre-platform:openbao: {address: «'openbao:8200'}\n"),
            f"openbao.address: 'openbao:8200' {URL}",
        ),
        "an address with a password, which is not repeated": (
            stack("  sre-platform:harbor: {url: «'https://admin:hunter2@harbor'}\n"),
            "harbor.url: contains a user name or an '@'; write only the address",
        ),
        "no clusterIdentifier": (
            "config:\n" + TEAMS + "  sre-platform:kubernetes: «{}\n",
            "kubernetes.clusterIdentifier: is missing; "
            "add it, such as `clusterIdentifier: sre-dev`",
        ),
        "no kubernetes": (
            "config:\n  «" + TEAMS.lstrip(),
            "kubernetes: is missing; add it, with clusterIdentifier below it",
        ),
        "no teams": (
            "config:\n  «" + CLUSTER.lstrip(),
            'teams: is missing; add it, such as `sre-platform:teams: "*"`',
        ),
        "a team that is not in a list": (
            "config:\n  sre-platform:teams: «team-alpha\n" + CLUSTER,
            "teams: must be a list; begin each entry with '- '",
        ),
        "a team that is a number": (
            "config:\n  sre-platform:teams: [team-alpha, «5]\n" + CLUSTER,
            'teams[1]: YAML reads this as a number; put it in quotes: "5"',
        ),
        "a team without a file": (
            "config:\n  sre-platform:teams: [team-alpha, «team-alhpa]\n" + CLUSTER,
            "teams[1]: 'team-alhpa' has no file in tenants; did you mean team-alpha? If it was "
            "offboarded, remove it here",
        ),
        "a team without a file, like no other": (
            "config:\n  sre-platform:teams: [«shop]\n" + CLUSTER,
            "teams[0]: 'shop' has no file in tenants; "
            "add tenants/shop.yaml, or remove an offboarded team here",
        ),
        "all teams, in a list": (
            "config:\n  sre-platform:teams: [«'*']\n" + CLUSTER,
            "teams[0]: '*' is not a team's name; write \"*\" without the list",
        ),
        "a team twice": (
            "config:\n  sre-platform:teams: [team-alpha, «team-alpha]\n" + CLUSTER,
            "teams[1]: 'team-alpha' is listed twice; remove one",
        ),
    }
)
def test_a_wrong_setting_is_reported_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"Pulumi.test.yaml:{where}: config.sre-platform:{said}"]


@rows(
    {
        "an empty file": ("«", "(file): is empty; write at least the key `config`"),
        "a file without config": (
            "«encryptionsalt: v1:abc\n",
            "config: is missing; add it, such as `config: {sre-platform:teams: '*'}`",
        ),
        "an empty config": (
            "config:«\n",
            "config: is empty; fill it in, such as `config: {sre-platform:teams: '*'}`",
        ),
        "a tab": (
            "config:\n«\tx: y\n",
            "(file): YAML does not allow tabs for indentation; use spaces",
        ),
    }
)
def test_a_file_that_is_not_a_stacks_is_refused(tmp_path: Path, text: str, said: str) -> None:
    text, where = place(text)
    assert reported(tmp_path, text) == [f"Pulumi.test.yaml:{where}: {said}"]


def test_a_stack_without_a_file_is_reported(tmp_path: Path) -> None:
    _, problems = read_stack(tmp_path, "test")
    assert [str(problem) for problem in problems] == [
        "Pulumi.test.yaml:1:1: (file): no such file; check the path"
    ]


def test_what_other_programs_keep_in_the_file_is_ignored(tmp_path: Path) -> None:
    text = (
        stack("  kubernetes:context: x\n  aws:region: {secure: abc}\n") + "encryptionsalt: v1:x\n"
    )
    assert reported(tmp_path, text) == []


def test_settings_as_pulumi_writes_them_mean_the_same(tmp_path: Path) -> None:
    as_typed = (
        stack("")
        + "  sre-platform:platform: true\n  sre-platform:openbao: {inCluster: false}\n"
        + "  sre-platform:istio: {gateways: [a/b]}\n"
    )
    as_written = (
        stack("")
        + "  sre-platform:platform: 'true'\n"
        + "  sre-platform:openbao: '{\"inCluster\": false}'\n"
        + "  sre-platform:istio:\n    gateways:\n      - a/b\n"
        + "encryptionsalt: v1:x\nsecretsprovider: awskms://alias/x\nencryptedkey: abc\n"
        + "environment:\n  - production\n"
    )
    found = []
    for name, text in (("typed", as_typed), ("written", as_written)):
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
        found.append(read_stack(tmp_path, name))
    assert found[0] == found[1]
    assert found[0][0]


@pytest.mark.parametrize("folder", ["2027", "true", "null", '[""]'])
def test_a_text_is_not_read_as_json(tmp_path: Path, folder: str) -> None:
    text = stack(f"  sre-platform:tenants: '{folder}'\n")
    (tmp_path / "Pulumi.test.yaml").write_text(text)
    settings, problems = read_stack(tmp_path, "test")
    assert problems == []
    assert settings
    assert settings.tenants == folder


def test_an_annotation_s_allowed_value_may_be_any_text(tmp_path: Path) -> None:
    allowed = "{allowedAnnotations: [{key: example.com/on-call, values: [x y]}]}"
    assert reported(tmp_path, stack(f"  sre-platform:namespace: {allowed}\n")) == []


def test_what_only_the_engine_knows_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.test.yaml").write_text(stack(""))
    config = {
        "sre-platform:teams": "*",
        "sre-platform:kubernetes": {"clusterIdentifier": "test"},
        "sre-platform:harbour": {},
    }
    _, problems = read_stack(tmp_path, "test", config)
    assert [problem.message for problem in problems] == [
        "is an unknown key; did you mean 'sre-platform:harbor'?"
    ]


def test_an_obsolete_setting_is_accepted_with_a_warning(tmp_path: Path) -> None:
    text, where = place(stack("  «sre-platform:moved: [team-beta]\n"))
    assert reported(tmp_path, text) == []
    settings, _ = read_stack(tmp_path, "test")
    assert settings
    (warning,) = outdated(tmp_path, "test", settings)
    assert str(warning).startswith(
        f"Pulumi.test.yaml:{where}: config.sre-platform:moved: is no longer needed"
    )
    assert str(warning).endswith("; remove it")


@pytest.mark.parametrize("name", stack_names(ROOT))
def test_a_shipped_stack_is_right(name: str) -> None:
    settings, problems = read_stack(ROOT, name)
    assert settings
    assert problems == []


def test_one_stack_of_each_cluster_manages_the_platform() -> None:
    clusters, managers = set(), Counter[str]()
    for name in stack_names(ROOT):
        settings, _ = read_stack(ROOT, name)
        assert settings
        clusters.add(settings.kubernetes.cluster_identifier)
        managers[settings.kubernetes.cluster_identifier] += settings.platform
    assert managers == dict.fromkeys(clusters, 1)
