"""What is allowed but seldom intended: each warning at its place, and what causes none."""

from pathlib import Path

import pytest

from tests.written import app, place, rows, team, warned

IN = "apps[0].app"
STAYS = "so Kubernetes does not expand it"


def worker(in_app: str = "", beside: str = "") -> str:
    return app(in_app, beside, archetype="worker")


def cronjob(in_app: str = "", beside: str = "") -> str:
    return app(in_app, beside, archetype="cronjob")


def ingress(ports: str) -> str:
    peer = "from: [{podSelector: {}}]"
    return f"networkPolicy: {{additionalIngress: [{{{peer}, ports: [{ports}]}}]}}"


NOWHERE = f"is not defined above, {STAYS}; define"
IF_MEANT = "in `env`, or write $$({0}) if you mean that"
UNSHOWN = (
    "contains a $(...) whose name `env` does not define, so Kubernetes does not expand it; "
    "define it in `env`, or write $$(...) if you mean that"
)
# Assembled here, so that no scanner reports a line of this file as a leak.
GITHUB = "ghp_" + "a1B2" * 9
KEY_ID = "AKIA" + "Q3EGZ7EXAMPLE234"
LOW = (
    "is below 1024, where a process that is not root may listen only if the node's runtime allows "
    "it (containerd does since 2.0, CRI-O does not); add an exception (privilegedPort), or use a "
    "higher port such as"
)


@rows(
    {
        "a variable that is defined nowhere": (
            app("env: [{name: URL, value: «'http://$(HOST)/'}]"),
            f"{IN}.env[0].value: $(HOST) {NOWHERE} HOST {IF_MEANT.format('HOST')}",
        ),
        "a variable that is defined further down": (
            app("env: [{name: URL, value: «'http://$(HOST)/'}, {name: HOST, value: db}]"),
            f"{IN}.env[0].value: $(HOST) is defined further down, {STAYS}; move HOST above URL",
        ),
        "a secret that is defined further down": (
            app("env: [{name: URL, value: «'x:$(PASS)@y'}, {name: PASS, secretRef: db}]"),
            f"{IN}.env[0].value: $(PASS) is defined further down, {STAYS}; move PASS above URL",
        ),
        "the variable itself": (
            app("env: [{name: PATH, value: «'$(PATH):/opt/bin'}]"),
            f"{IN}.env[0].value: $(PATH) refers to the variable itself, which Kubernetes does not "
            "expand; write the whole value",
        ),
        "a name in other letters": (
            app("env: [{name: HOST, value: db}, {name: URL, value: «$(host)}]"),
            f"{IN}.env[1].value: $(host) {NOWHERE} host {IF_MEANT.format('host')}",
        ),
        "after an escaped one": (
            app("env: [{name: URL, value: «'$$(A) $(B)'}]"),
            f"{IN}.env[0].value: $(B) {NOWHERE} B {IF_MEANT.format('B')}",
        ),
        "behind an escaped dollar": (
            app("env: [{name: URL, value: «'$$$(B)'}]"),
            f"{IN}.env[0].value: $(B) {NOWHERE} B {IF_MEANT.format('B')}",
        ),
        "what is no variable's name, and is not repeated": (
            app("env: [{name: NOW, value: «$(date +%s)}]"),
            f"{IN}.env[0].value: contains a $(...) without a variable's name, which "
            f"Kubernetes does "
            "not expand; write $$(...) if you mean that",
        ),
        "a password that is taken for a name, and is not repeated": (
            app("env: [{name: URL, value: «$(hunter2)}]"),
            f"{IN}.env[0].value: {UNSHOWN}",
        ),
        "a token that is taken for a name, and is not repeated": (
            app(f"env: [{{name: URL, value: «$({GITHUB}), plain: true}}]"),
            f"{IN}.env[0].value: {UNSHOWN}",
        ),
        "a key's id that is taken for a name, and is not repeated": (
            app(f"env: [{{name: URL, value: «$({KEY_ID}), plain: true}}]"),
            f"{IN}.env[0].value: $([secret]) {NOWHERE} [secret] {IF_MEANT.format('[secret]')}",
        ),
        "in a web-app's arguments": (
            app("args: [serve, «'--to=$(TARGET)']"),
            f"{IN}.args[1]: $(TARGET) {NOWHERE} TARGET {IF_MEANT.format('TARGET')}",
        ),
        "in a command": (
            worker("command: [/bin/run, «'--to=$(TARGET)']"),
            f"{IN}.command[1]: $(TARGET) {NOWHERE} TARGET {IF_MEANT.format('TARGET')}",
        ),
        "in arguments": (
            cronjob("args: [«$(TARGET)]"),
            f"{IN}.args[0]: $(TARGET) {NOWHERE} TARGET {IF_MEANT.format('TARGET')}",
        ),
        "in what a shell runs": (
            cronjob("command: [sh, -c]\nargs: [«'run $(TARGET) $(hostname)']"),
            f"{IN}.args[0]: $(TARGET) {NOWHERE} TARGET {IF_MEANT.format('TARGET')}",
        ),
        "in what a shell among the arguments runs": (
            worker("args: [/bin/sh, -ec, «'run $(TARGET) $(hostname)']"),
            f"{IN}.args[2]: $(TARGET) {NOWHERE} TARGET {IF_MEANT.format('TARGET')}",
        ),
        "in small letters, where no shell runs": (
            cronjob("args: [finish, «$(hostname)]"),
            f"{IN}.args[1]: {UNSHOWN}",
        ),
        "in a probe": (
            worker("probes: {liveness: {exec: {command: [test, «$(MARK)]}}}"),
            f"{IN}.probes.liveness.exec.command[1]: $(MARK) {NOWHERE} MARK "
            f"{IF_MEANT.format('MARK')}",
        ),
        "a secret in a probe": (
            worker(
                "env: [{name: KEY, secretRef: k}]\n"
                "probes: {readiness: {exec: {command: [check, «$(KEY)]}}}"
            ),
            f"{IN}.probes.readiness.exec.command[1]: $(KEY) is empty here, as Kubernetes does not "
            "expand secrets in a probe's command; let a shell read it: "
            '["/bin/sh", "-c", "... $KEY"]',
        ),
    }
)
def test_a_reference_to_no_variable_causes_a_warning(tmp_path: Path, text: str, said: str) -> None:
    _warned_once(tmp_path, text, said)


@pytest.mark.parametrize(
    "text",
    [
        app("env: [{name: HOST, value: db}, {name: URL, value: 'http://$(HOST)/$(HOST)'}]"),
        app("env: [{name: PASS, secretRef: db}, {name: URL, value: 'x:$(PASS)@y'}]"),
        app("env: [{name: URL, value: 'http://$$(HOST)/'}]"),
        app("env: [{name: URL, value: '$HOST ${HOST} $('}]"),
        app("env: [{name: URL, value: 'http://$(SHOP_DB_SERVICE_HOST):$(SHOP_DB_SERVICE_PORT)'}]"),
        app("env: [{name: URL, value: 'http://$(SHOP_DB_PORT_5432_TCP_ADDR)'}]"),
        # A command may name any variable: all are there before it starts.
        worker("args: ['$(B)']\nenv: [{name: B, value: b}]"),
        worker("command: [run, '$(KEY)']\nenv: [{name: KEY, secretRef: k}]"),
        worker("command: [/bin/bash, -c, 'echo $(hostname) $(date +%s) $(cat /etc/x)']"),
        *(
            worker(f"{keys}\nenv: [{{name: KEY, value: k}}]")
            for keys in (
                "args: [sh, -c, 'echo $(date) $(KEY)']",
                "args: [/bin/bash, -ec, 'echo $(hostname)']",
                "args: [env, A=b, /usr/bin/mksh, -c, 'echo $(date)']",
                "command: [tini, --]\nargs: [busybox, ash, -c, 'echo $(date)']",
                "command: [/usr/bin/env, dash]\nargs: [-c, 'echo $(date)']",
            )
        ),
        worker("args: ['--password=$(KEY)']\nenv: [{name: KEY, secretRef: k}]"),
        worker("command: [sh, -c, 'run password=$KEY']\nenv: [{name: KEY, secretRef: k}]"),
        worker("args: ['$$(B)']"),
        worker(
            "env: [{name: MARK, value: /tmp/m}]\n"
            "probes: {liveness: {exec: {command: [test, -f, $(MARK)]}}}"
        ),
        worker("probes: {liveness: {exec: {command: [sh, -c, 'test $(pgrep -c run) -gt 0']}}}"),
    ],
)
def test_a_reference_that_works_causes_no_warning(tmp_path: Path, text: str) -> None:
    assert warned(tmp_path, text) == []


@rows(
    {
        "of a web-app": (app("port: «80"), f"{IN}.port: 80 {LOW} 8080"),
        "of a web-app, the last": (app("port: «1023"), f"{IN}.port: 1023 {LOW} 8080"),
        "of a worker's metrics": (
            worker(beside="serviceMonitor: {port: «900}"),
            f"apps[0].serviceMonitor.port: 900 {LOW} 9090",
        ),
        "of a cronjob's metrics": (
            cronjob(beside="serviceMonitor: {enabled: true, port: «443}"),
            f"apps[0].serviceMonitor.port: 443 {LOW} 9090",
        ),
    }
)
def test_a_port_that_needs_root_causes_a_warning(tmp_path: Path, text: str, said: str) -> None:
    _warned_once(tmp_path, text, said)


@pytest.mark.parametrize(
    "text", [app("port: 1024"), cronjob(beside="serviceMonitor: {enabled: false, port: 80}")]
)
def test_a_port_that_anyone_may_use_causes_no_warning(tmp_path: Path, text: str) -> None:
    assert warned(tmp_path, text) == []


PORT = "apps[0].networkPolicy.additionalIngress[0].ports[0].port"


@rows(
    {
        "of no port": (
            app(beside=ingress("{port: «grpc}")),
            f"{PORT}: 'grpc' is not the name of a TCP port of this app, so it opens nothing; "
            "use http (8080, TCP), or the port's number",
        ),
        "of a worker's port, on a web-app": (
            app(beside=ingress("{port: «metrics}")),
            f"{PORT}: 'metrics' is not the name of a TCP port of this app, so it opens nothing; "
            "use http (8080, TCP), or the port's number",
        ),
        "of another protocol": (
            app(beside=ingress("{port: «http, protocol: UDP}")),
            f"{PORT}: 'http' is not the name of a UDP port of this app, so it opens nothing; "
            "use http (8080, TCP), or the port's number",
        ),
        "of an app without ports": (
            worker(beside="serviceMonitor: {enabled: false}\n" + ingress("{port: «metrics}")),
            f"{PORT}: 'metrics' is not the name of a TCP port of this app, so it opens nothing; "
            "write the port's number",
        ),
    }
)
def test_a_rule_on_a_name_that_no_port_has_causes_a_warning(
    tmp_path: Path, text: str, said: str
) -> None:
    _warned_once(tmp_path, text, said)


@pytest.mark.parametrize(
    "text",
    [
        app(beside=ingress("{port: http}, {port: 9999}, {protocol: UDP}")),
        worker(beside=ingress("{port: metrics}")),
        app(
            beside="networkPolicy: {additionalEgress: "
            "[{to: [{podSelector: {}}], ports: [{port: grpc}]}]}"
        ),
        app(beside=ingress("{port: grpc}").replace("{add", "{enabled: false, add")),
    ],
)
def test_a_rule_on_an_existing_port_causes_no_warning(tmp_path: Path, text: str) -> None:
    assert warned(tmp_path, text) == []


@rows(
    {
        "cpu": (
            team("quota: {requests: {cpu: «'9'}}"),
            "quota.requests.cpu: 9 is more than quota.limits.cpu 8, so it can never be "
            "fully used; lower it, or raise the limit",
        ),
        "memory": (
            team("quota: {requests: {memory: «3Gi}, limits: {memory: 2Gi}}"),
            "quota.requests.memory: 3Gi is more than quota.limits.memory 2Gi, so it can never be "
            "fully used; lower it, or raise the limit",
        ),
        "the default": (
            team("quota: {limits: {cpu: «'2'}}"),
            "quota.limits.cpu: 2 is less than quota.requests.cpu 4; raise it, or lower the "
            "requests",
        ),
    }
)
def test_a_quota_of_more_requests_than_limits_causes_a_warning(
    tmp_path: Path, text: str, said: str
) -> None:
    _warned_once(tmp_path, text, said)


def test_a_quota_of_as_many_requests_as_limits_causes_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path, team("quota: {requests: {cpu: 500m}, limits: {cpu: '0.5'}}")) == []


def _warned_once(folder: Path, text: str, said: str) -> None:
    text, where = place(text)
    path, _, message = said.partition(": ")
    assert warned(folder, text) == [f"tenants/team-alpha.yaml:{where}: {path}: warning: {message}"]
