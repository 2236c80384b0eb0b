"""Secrets of an app: keys as variables, whole secrets, and files."""

from pathlib import Path

import pytest

from tests.conftest import Program
from tests.program import EXTERNAL_SECRET, Made, merged, one_of_each, web_app, worker
from tests.written import accepted, app, place, reported, rows, warned

AT = "apps[0].app"
NO_KEY = "is not a key's name; use letters, digits, '-', '_' and '.', such as password"
PEM = "-----BEGIN PRIVATE KEY-----"


@rows(
    {
        "a key without a secret": (
            app("env: [{name: X, value: x, key: «x}]"),
            f"{AT}.env[0].key: applies only to `secretRef`; remove it",
        ),
        "a key that no Secret can have": (
            app("env: [{name: X, secretRef: x, key: «pass word}]"),
            f"{AT}.env[0].key: {NO_KEY}",
        ),
        "a key that leads out of its folder": (
            app("secretFiles: [{path: /x, secretRef: x, keys: [«../x]}]"),
            f"{AT}.secretFiles[0].keys[0]: {NO_KEY}",
        ),
        "the folder above": (
            app("secretFiles: [{path: /x, secretRef: x, keys: [«..]}]"),
            f"{AT}.secretFiles[0].keys[0]: {NO_KEY}",
        ),
        "the secret itself": (
            app(f"env: [{{name: X, secretRef: x, key: «{PEM}}}]"),
            f"{AT}.env[0].key: contains the secret itself; write the name of its key here",
        ),
        "Kubernetes' own reference": (
            app("envFrom: [{secretRef: «{name: x}}]"),
            f"{AT}.envFrom[0].secretRef: must be text, not a mapping; write a single value",
        ),
        "a ConfigMap": (
            app("envFrom: [{«configMapRef: {name: x}, secretRef: x}]"),
            f"{AT}.envFrom[0].configMapRef: is not supported here; use `app.env`, with one entry "
            "per variable",
        ),
        "the platform's own secret": (
            app("envFrom: [{secretRef: «harbor-pull}]"),
            f"{AT}.envFrom[0].secretRef: 'harbor-pull' is the platform's own secret; choose "
            "another name",
        ),
        "a prefix that no variable can have": (
            app("envFrom: [{secretRef: x, prefix: «db-}]"),
            f"{AT}.envFrom[0].prefix: is not a variable's name; use letters, digits and '_', such "
            "as LOG_LEVEL",
        ),
        "a whole secret twice": (
            app("envFrom: [{secretRef: x}, {secretRef: y}, {secretRef: «x}]"),
            f"{AT}.envFrom[2].secretRef: 'x' is listed twice; remove one",
        ),
        "a variable that the whole secret sets": (
            app(
                "env: [{name: «DB_password, secretRef: x, key: password}]\n"
                "envFrom: [{secretRef: x, prefix: DB_}]"
            ),
            f"{AT}.env[0].name: 'DB_password' is also set by envFrom; remove it here",
        ),
        "files without keys": (
            app("secretFiles: [{path: /x, secretRef: x, keys: «[]}]"),
            f"{AT}.secretFiles[0].keys: is empty; write at least one entry",
        ),
        "a key twice": (
            app("secretFiles: [{path: /x, secretRef: x, keys: [a, b, «a]}]"),
            f"{AT}.secretFiles[0].keys[2]: 'a' is listed twice; remove one",
        ),
        "files where the app writes": (
            app("writablePaths: [{path: /x}]\nsecretFiles: [{path: «/x, secretRef: x, keys: [a]}]"),
            f"{AT}.secretFiles[0].path: '/x' is already mounted (writablePaths); remove one",
        ),
        "two secrets at one path": (
            app("secretFiles: [{path: /x, secretRef: x, keys: [a]}, "
                "{path: «/x, secretRef: y, keys: [b]}]"),
            f"{AT}.secretFiles[1].path: '/x' is listed twice; remove one",
        ),
        "the folder of what the runtime mounts": (
            app("secretFiles: [{path: «/etc, secretRef: x, keys: [a]}]"),
            f"{AT}.secretFiles[0].path: '/etc' gets files of the container's runtime too; choose a "
            "path within it",
        ),
        "a path inside of them": (
            app("writablePaths: [{path: «/x/tmp}]\n"
                "secretFiles: [{path: /x, secretRef: x, keys: [a]}]"),
            f"{AT}.writablePaths[0].path: '/x/tmp' is inside '/x', which secretFiles mounts "
            "read-only; choose a path outside of it",
        ),
        "Kubernetes' own items": (
            app("secretFiles: [{path: /x, secretRef: x, keys: [a], «defaultMode: 256}]"),
            f"{AT}.secretFiles[0].defaultMode: is not supported here; a group of the app's process "
            "reads the files; remove it",
        ),
    }
)  # fmt: skip
def test_what_no_secret_can_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    written, where = place(text)
    assert reported(tmp_path, written) == [f"tenants/team-alpha.yaml:{where}: {said}"]


def test_files_may_be_beside_what_begins_alike_and_inside_what_the_app_writes(
    tmp_path: Path,
) -> None:
    accepted(
        tmp_path,
        app(
            "writablePaths: [{path: /run}, {path: /etc/shop-cache}]\n"
            "secretFiles:\n"
            "  - {path: /etc/shop, secretRef: x, keys: [a]}\n"
            "  - {path: /run/tls, secretRef: x, keys: [a]}\n"
        ),
    )


def _data(made: Made, name: str) -> dict[str, str]:
    """The keys of the Secret, and what each is in OpenBao."""
    spec = made.one(EXTERNAL_SECRET, f"team-alpha/{name}").spec
    assert "dataFrom" not in spec
    return {
        each["secretKey"]: f"{each['remoteRef']['key']} {each['remoteRef']['property']}"
        for each in spec["data"]
    }


USER = "app: {env: [{name: USER, secretRef: db, key: user}]}"
PASSWORD = "app: {env: [{name: PASSWORD, secretRef: db, key: password}, {name: A, secretRef: db}]}"
CERTIFICATE = "app: {secretFiles: [{path: /tls, secretRef: db, keys: [tls.key, ca.crt]}]}"
WHOLE = "app: {envFrom: [{secretRef: db, prefix: DB_}]}"


def test_a_secret_has_the_keys_that_all_apps_use_together(program: Program) -> None:
    made = program(merged(web_app(USER), worker(PASSWORD, name="a"), worker(CERTIFICATE, name="b")))
    keys = ["ca.crt", "password", "tls.key", "user", "value"]
    assert _data(made, "db") == {key: f"sre/team-alpha/db {key}" for key in keys}


def test_a_secret_that_somebody_takes_as_a_whole_is_whole(program: Program) -> None:
    made = program(merged(web_app(USER), worker(WHOLE)))
    spec = made.one(EXTERNAL_SECRET, "team-alpha/db").spec
    assert spec["dataFrom"] == [{"extract": {"key": "sre/team-alpha/db"}}]
    assert "data" not in spec


def test_variables_name_their_key_and_whole_secrets_their_prefix(program: Program) -> None:
    for one in program(one_of_each(USER)).with_pods():
        (variable,) = one.container["env"]
        assert variable["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "user"}}
        assert "envFrom" not in one.container
    for one in program(one_of_each(WHOLE)).with_pods():
        assert one.container["envFrom"] == [{"prefix": "DB_", "secretRef": {"name": "db"}}]


def test_files_are_read_by_a_group_of_the_process_and_by_nobody_else(program: Program) -> None:
    for one in program(one_of_each(CERTIFICATE)).with_pods():
        (volume,), (mount,) = one.pod["volumes"], one.container["volumeMounts"]
        assert volume["secret"] == {
            "secretName": "db",
            "items": [{"key": key, "path": key} for key in ("tls.key", "ca.crt")],
            "defaultMode": 0o440,
        }
        assert mount == {"name": volume["name"], "mountPath": "/tls", "readOnly": True}
        assert one.pod["securityContext"]["fsGroup"] == 65532


def test_pods_wait_for_every_secret_that_they_read(program: Program) -> None:
    for keys in (WHOLE, CERTIFICATE):
        for one in program(one_of_each(keys)).with_pods():
            assert f"{EXTERNAL_SECRET} team-alpha/db" in one.depends_on


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        ("env: [{name: URL, value: 'db://$(DB_HOST)'}]\n", False),
        ("env: [{name: URL, value: 'db://$(HOST)'}]\n", True),
        ("command: [serve, '$(DB_HOST)']\n", False),
    ],
)
def test_a_reference_to_a_variable_of_a_whole_secret_is_no_mistake(
    tmp_path: Path, text: str, warns: bool
) -> None:
    assert bool(warned(tmp_path, app(f"{text}envFrom: [{{secretRef: db, prefix: DB_}}]"))) == warns
