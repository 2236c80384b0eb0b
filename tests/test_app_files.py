"""Files of an app: what a file may say, the ConfigMap, and the pods that mount it."""

import os
from pathlib import Path

import pytest

from tests.conftest import Program
from tests.program import CONFIG_MAP, DEPLOYMENT, merged, one_of_each, web_app, worker
from tests.written import accepted, app, place, reported, rows

AT = "apps[0].app.files"
OUTSIDE = "write a path below the folder of the team's file, such as files/shop.conf"
FIX = (
    "use secretFiles or a variable with a secretRef, or add `plain: true` if it is not a credential"
)


def text(lines: str) -> str:
    return app(f"files: [{{path: /a, content: «{lines}}}]")


@rows(
    {
        "no text": (
            app("files: [«{path: /a}]"),
            f"{AT}[0]: has neither content nor from; add one of the two",
        ),
        "two texts": (
            app("files: [«{path: /a, content: x, from: x.conf}]"),
            f"{AT}[0]: has both content and from; keep one of the two",
        ),
        "no such file": (
            app("files: [{path: /a, from: «files/x.conf}]"),
            f"{AT}[0].from: 'files/x.conf' does not exist beside the team's file; check the path",
        ),
        "a name that no file has": (
            app(f"files: [{{path: /a, from: «{'x' * 256}}}]"),
            f"{AT}[0].from: '{'x' * 256}' cannot be read: File name too long; check the file",
        ),
        "a file elsewhere": (
            app("files: [{path: /a, from: «/etc/passwd}]"),
            f"{AT}[0].from: '/etc/passwd' is not a path within that folder; {OUTSIDE}",
        ),
        "a file above": (
            app("files: [{path: /a, from: «files/../../x}]"),
            f"{AT}[0].from: 'files/../../x' leads out of its folder; {OUTSIDE}",
        ),
        "a path that is not plain": (
            app("files: [{path: /a, from: «./x}]"),
            f"{AT}[0].from: './x' is not a plain path; {OUTSIDE}",
        ),
        "a team's file": (
            app("files: [{path: /a, from: «team-beta.yaml}]"),
            f"{AT}[0].from: 'team-beta.yaml' would be a team's file; put it into a folder, as in "
            "files/team-beta.yaml",
        ),
        "a folder": (
            app("files: [{path: /a, from: «folder}]"),
            f"{AT}[0].from: 'folder' is not a regular file; name one",
        ),
        "a link": (
            app("files: [{path: /a, from: «folder/link}]"),
            f"{AT}[0].from: 'folder/link' is a link, or is behind one; put the file itself there",
        ),
        "a file behind a link": (
            app("files: [{path: /a, from: «linked/plain.conf}]"),
            f"{AT}[0].from: 'linked/plain.conf' is a link, or is behind one; put the file itself "
            "there",
        ),
        "a file that is not text": (
            app("files: [{path: /a, from: «folder/latin1}]"),
            f"{AT}[0].from: line 2 of 'folder/latin1' is not UTF-8; mount only text files, in "
            "UTF-8",
        ),
        "a file with zeros": (
            app("files: [{path: /a, from: «folder/zeros}]"),
            f"{AT}[0].from: is not text; mount only text files",
        ),
        "a file that is too large": (
            app("files: [{path: /a, from: «folder/large}]"),
            f"{AT}[0].from: 'folder/large' has 1048577 bytes, but a ConfigMap holds at most "
            "1048576; shorten it, or put it into the image",
        ),
        "files that are too large together": (
            app("files: [{path: /a, from: folder/half}, {path: /b, from: folder/half}, "
                "{path: /c, content: «x}]"),
            f"{AT}[2].content: with it the files have 1048577 bytes, but a ConfigMap holds 1048576 "
            "at most; shorten them, or put them into the image",
        ),
        "a file with a credential": (
            app("files: [{path: /a, from: «folder/secret.conf}]"),
            f"{AT}[0].from: line 3 of folder/secret.conf: its name says password; {FIX}",
        ),
        "a text with a credential of a known form": (
            text('"a\\n  -----BEGIN PRIVATE KEY-----\\n"'),
            f"{AT}[0].content: line 2: contains a private key (PEM); {FIX}",
        ),
        "a password in JSON": (
            text("'{\"user\": \"shop\", \"password\": \"Hunter2\"}'"),
            f"{AT}[0].content: line 1: its name says password; {FIX}",
        ),
        "a token in XML": (
            text("<server><authToken>abc123def</authToken></server>"),
            f"{AT}[0].content: line 1: its name says token; {FIX}",
        ),
        "a token of npm": (
            text("//npm.example.com/:_authToken=abc123def"),
            f"{AT}[0].content: line 1: its name says token; {FIX}",
        ),
        "a password in attributes of XML": (
            text("'<property name=\"db.password\" value=\"Hunter2\"/>'"),
            f"{AT}[0].content: line 1: its name says password; {FIX}",
        ),
        "a password in .netrc": (
            text("machine example.com login me password Hunter2"),
            f"{AT}[0].content: line 1: its name says password; {FIX}",
        ),
        "a password of Redis": (
            text("requirepass Hunter2"),
            f"{AT}[0].content: line 1: its name says password; {FIX}",
        ),
        "one path twice": (
            app("files: [{path: /a, content: x}, {path: «/a, content: y}]"),
            f"{AT}[1].path: '/a' is listed twice; remove one",
        ),
        "a file inside of another": (
            app("files: [{path: /a, content: x}, {path: «/a/b, content: y}]"),
            f"{AT}[1].path: '/a/b' is inside '/a', which files mounts read-only; choose a path "
            "outside of it",
        ),
        "a file inside of secrets": (
            app("files: [{path: «/a/b, content: x}]\n"
                "secretFiles: [{path: /a, secretRef: x, keys: [a]}]"),
            f"{AT}[0].path: '/a/b' is inside '/a', which secretFiles mounts read-only; choose a "
            "path outside of it",
        ),
        "two paths of one key": (
            app("files: [{path: /a/b, content: x}, {path: «/a_b, content: y}]"),
            f"{AT}[1].path: '/a_b' and '/a/b' get the same key 'a_b' in the ConfigMap; rename one",
        ),
        "Kubernetes' own mount": (
            app("files: [{«mountPath: /a, path: /a, content: x}]"),
            f"{AT}[0].mountPath: is not supported here; use `path`",
        ),
    }
)  # fmt: skip
def test_what_no_file_can_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "plain.conf").write_text("level = info\n")
    (folder / "secret.conf").write_text("user = shop\n\npassword: Hunter2\n")
    (folder / "latin1").write_bytes("a\né".encode("latin-1"))
    (folder / "zeros").write_bytes(b"a\0b")
    (folder / "half").write_text("x" * 2**19)
    (folder / "large").write_text("x" * (2**20 + 1))
    (folder / "link").symlink_to("plain.conf")
    (tmp_path / "linked").symlink_to("folder")
    written, where = place(text)
    assert reported(tmp_path, written) == [f"tenants/team-alpha.yaml:{where}: {said}"]


@pytest.mark.parametrize(
    "line",
    [
        "password = ${DB_PASSWORD}",
        "password: '{{ db_password }}'",
        "password: null",
        "password = %(DB_PASSWORD)s",
        "password: '%env(DB_PASSWORD)%'",
        "password = $__file{/run/secrets/password}",
        "password: !env_var DB_PASSWORD",
        "password: file:/run/secrets/password",
        'PASSWORD = os.environ["DB_PASSWORD"]',
        'PASSWORD = os.getenv("DB_PASSWORD")',
        'config.password = ENV.fetch("DB_PASSWORD")',
        "'password' => getenv('DB_PASSWORD'),",
        "password: process.env.DB_PASSWORD,",
        'password: ""',
        "# password: Hunter2",
        "# requirepass foobared",
        "requirepass ${REDIS_PASSWORD}",
        "//npm.example.com/:_authToken=${NPM_TOKEN}",
        '<property name="db.password" value="${DB_PASSWORD}"/>',
        "token_file: /run/secrets/token",
        "auth: true",
        "https://example.com/oauth/token",
    ],
)
def test_text_without_a_credential_needs_no_confirmation(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.conf").write_text(f"{line}\n")
    accepted(tmp_path, app("files: [{path: /a, from: a.conf}]"))


def test_a_text_may_be_confirmed_to_have_no_credential(tmp_path: Path) -> None:
    accepted(tmp_path, app("files: [{path: /a, content: 'token: x', plain: true}]"))


def test_a_file_is_read_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("\ufeffä\r\nb\n".encode())
    (file,) = accepted(tmp_path, app("files: [{path: /a, from: a}]")).apps[0].app.files
    assert file.content == "\ufeffä\r\nb\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0)
    (line,) = reported(tmp_path, app("files: [{path: /a, from: a}]"))
    assert "'a' cannot be read: Permission denied; check the file" in line


FILES = """
app:
  files:
    - {path: /etc/shop/app.conf, content: "level = info\\n"}
    - {path: /opt/shop/.motd, content: ""}
"""
MAP = f"{CONFIG_MAP} team-alpha/my-api-files"


def test_the_files_are_keys_of_one_config_map(program: Program) -> None:
    made = program(web_app(FILES)).one(CONFIG_MAP, "team-alpha/my-api-files")
    assert made.metadata["name"] == "my-api-files"
    assert made.inputs["data"] == {"etc_shop_app.conf": "level = info\n", "opt_shop_.motd": ""}


def test_each_file_is_mounted_by_itself(program: Program) -> None:
    for one in program(one_of_each(FILES)).with_pods():
        (volume,) = one.pod["volumes"]
        assert volume == {
            "name": "files",
            "configMap": {"name": f"{one.metadata['name']}-files"},
        }
        assert one.container["volumeMounts"] == [
            {"name": "files", "mountPath": path, "subPath": key, "readOnly": True}
            for path, key in (
                ("/etc/shop/app.conf", "etc_shop_app.conf"),
                ("/opt/shop/.motd", "opt_shop_.motd"),
            )
        ]


def _checksum(program: Program, keys: str) -> str | None:
    made = program(web_app(keys)).one(DEPLOYMENT, "team-alpha/my-api")
    checksum: str | None = made.pod_template["metadata"]["annotations"].get("sre.io/files")
    return checksum


def test_another_text_restarts_the_pods_and_nothing_else_does(program: Program) -> None:
    checksum = _checksum(program, FILES)
    assert checksum
    assert _checksum(program, FILES.replace("info", "debug")) not in (checksum, None)
    assert _checksum(program, FILES.replace("/etc/shop", "/etc/other")) not in (checksum, None)
    entries = FILES.rstrip().splitlines()
    turned = "\n".join([*entries[:3], entries[4], entries[3]])
    assert _checksum(program, turned) == checksum
    assert _checksum(program, "app: {replicas: 3}") is None


def test_the_pods_wait_for_their_own_files(program: Program) -> None:
    made = program(merged(web_app(FILES), worker()))
    waiting = {one.name for one in made.with_pods() if MAP in one.depends_on}
    assert waiting == {"team-alpha/my-api"}


def test_a_changed_config_map_is_updated_in_place(program: Program) -> None:
    provider = program(web_app(FILES)).one("pulumi:providers:kubernetes", "kubernetes")
    assert provider.inputs["enableConfigMapMutable"] == "true"
