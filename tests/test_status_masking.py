"""What Secrets contain is hidden in everything that an app wrote."""

import base64
import json

import pytest

from tools.status.masking import hidden, masked

PASSWORD = "hunter2-hunter2"


def content(value: str) -> dict[str, str]:
    return {"value": base64.b64encode(value.encode()).decode()}


def shown(line: str, *values: str) -> str:
    return masked(line, hidden(map(content, values)))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (PASSWORD, f"login as app with {PASSWORD} failed"),
        (f"{PASSWORD}\n", f"[{PASSWORD}]"),
        (f"postgres://app:{PASSWORD}@db:5432/app", f"cannot log in with {PASSWORD}"),
        (json.dumps({"user": "a", "nested": [{"p": PASSWORD}]}), f"p={PASSWORD}"),
        (f"user=app\npassword={PASSWORD}\n", f"bad: {PASSWORD}"),
        (f"host=db;Password={PASSWORD};", f"bad: {PASSWORD}"),
        ("p@ss/word-1", "GET /?q=p%40ss%2Fword-1"),
        ('say "hi" now', r'{"password": "say \"hi\" now"}'),
        (PASSWORD, f"Basic {base64.b64encode(PASSWORD.encode()).decode()}"),
        (base64.b64encode(PASSWORD.encode()).decode(), f"decoded {PASSWORD}"),
        ("-----BEGIN KEY-----\nc2VjcmV0LW9uZQ\n-----END KEY-----", "read c2VjcmV0LW9uZQ"),
        ("x", "the x"),
    ],
)  # fmt: skip
def test_a_value_and_its_parts_are_hidden_in_any_form(value: str, line: str) -> None:
    said = shown(line, value)
    assert "[secret]" in said
    for part in (value, PASSWORD, "p%40ss", "c2VjcmV0LW9uZQ", base64.b64encode(value.encode())):
        assert (part if isinstance(part, str) else part.decode()) not in said


def test_a_longer_value_is_hidden_as_a_whole() -> None:
    assert shown("key: abcdef", "abc", "abcdef") == "key: [secret]"


def test_other_words_stay() -> None:
    assert shown("cannot connect to db:5432", PASSWORD, "") == "cannot connect to db:5432"


def test_a_credential_of_a_known_form_is_hidden_without_its_secret() -> None:
    assert "tiger" not in shown("connecting to postgres://scott:tiger@db/app")


def test_control_characters_of_a_log_reach_no_terminal() -> None:
    assert shown("\x1b[31mred") == " [31mred"
