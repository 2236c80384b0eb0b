"""Variables and secrets of charts' values become those of a team's file."""

from pathlib import Path

import pytest

from tests.flux_tree import VALUES, Trees, release
from tests.written import place, rows

pytestmark = pytest.mark.commands


@pytest.fixture
def trees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Trees:
    monkeypatch.chdir(tmp_path)
    return Trees(tmp_path, capsys)


IN_APP = """\
  env:
    - name: LOG_LEVEL
      value: info
    - name: DB_PASSWORD
      valueFrom: {secretKeyRef: {name: shop-db, key: password}}
    - name: API_KEY
      valueFrom: {secretKeyRef: {name: shop-api, key: value, optional: false}}
  envFrom:
    - {prefix: MAIL_, secretRef: {name: mail}}
"""
BESIDE = """\
extraEnv:
  - {name: LOG_LEVEL, value: info}
extraEnvVars:
  - {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: shop-db, key: password}}}
  - {name: API_KEY, valueFrom: {secretKeyRef: {name: shop-api, key: value}}}
extraEnvFrom:
  - {prefix: MAIL_, secretRef: {name: mail}}
"""
MAPPED = """\
  env:
    LOG_LEVEL: info
    DB_PASSWORD: {valueFrom: {secretKeyRef: {name: shop-db, key: password}}}
    API_KEY: {secretRef: shop-api}
  envFrom: [{prefix: MAIL_, secretRef: mail}]
"""


@pytest.mark.parametrize("values", [IN_APP, BESIDE, MAPPED])
def test_variables_keep_their_secrets_and_keys(trees: Trees, values: str) -> None:
    run = trees.run(release(VALUES + values))
    assert (run.lost, run.notes) == ([], [])
    container = trees.team().apps[0].app
    assert [(each.name, each.value, each.secret_ref, each.key) for each in container.env] == [
        ("LOG_LEVEL", "info", None, None),
        ("DB_PASSWORD", None, "shop-db", "password"),
        ("API_KEY", None, "shop-api", None),
    ]
    assert [(each.secret_ref, each.prefix) for each in container.env_from] == [("mail", "MAIL_")]


def test_a_whole_secret_by_its_name_alone_comes_last(trees: Trees) -> None:
    values = "  envFrom: [{secretRef: {name: mail}}]\nextraEnvVarsSecret: more\n"
    assert trees.run(release(VALUES + values)).lost == []
    assert [each.secret_ref for each in trees.team().apps[0].app.env_from] == ["mail", "more"]


@rows(
    {
        "a secret that may be missing": (
            "  env: [{name: X, «valueFrom: {secretKeyRef: {name: x, key: y, optional: true}}}]\n",
            "spec.values.app.env[0].valueFrom: is not supported here; use `secretRef`",
        ),
        "a ConfigMap": (
            "  envFrom: [{«configMapRef: {name: x}}]\n",
            "spec.values.app.envFrom[0].configMapRef: is not supported here; use `app.env`",
        ),
    }
)
def test_what_is_no_secret_of_the_team_is_lost(trees: Trees, text: str, said: str) -> None:
    values, where = place(release(VALUES + text))
    run = trees.run(values, "--partial")
    assert [line for line in run.lost if line.startswith(f"apps/a.yaml:{where}: {said}")]


@pytest.mark.parametrize("key", [".inf", "010"])
def test_a_key_that_yaml_takes_for_an_odd_number_is_written_as_text(trees: Trees, key: str) -> None:
    secret = f"{{secretKeyRef: {{name: shop-db, key: {key}}}}}"
    trees.run(release(f"{VALUES}  env: [{{name: A, valueFrom: {secret}}}]\n"), "--partial")
    (variable,) = trees.team().apps[0].app.env
    assert variable.key == key
