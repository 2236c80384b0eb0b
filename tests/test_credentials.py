"""Plain environment variables that are credentials, and those that only look like it."""

import pytest

from specs.credentials import looks_like_credential

# Put together here, so that no scanner takes a line of this file for a leak.
AWS_KEY_ID = "AKIA" + "Q3EGZ7EXAMPLE234"
JWT = ".".join(["eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0In0", "c2lnbmF0dXJl"])
LONG = "a1B2" * 12


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("PASSWORD", "password"),
        ("DB_PASSWORD", "password"),
        ("DBPASSWORD", "password"),
        ("DB_PASSWORD_2", "password"),
        ("dbPassword", "password"),
        ("db-password", "password"),
        ("db.passwd", "password"),
        ("PGPASSWORD", "password"),
        ("MYSQL_PWD", "password"),
        ("SMTP_PASS", "password"),
        ("KEYSTORE_PASSPHRASE", "passphrase"),
        ("API_KEY", "API key"),
        ("GOOGLEAPIKEY", "API key"),
        ("stripeApiKeys", "API key"),
        ("AWS_ACCESS_KEY_ID", "access key"),
        ("AWS_SECRET_ACCESS_KEY", "access key"),
        ("SECRET_KEY_BASE", "secret key"),
        ("TLS_PRIVATE_KEY", "private key"),
        ("SIGNING_KEY", "signing key"),
        ("dataEncryptionKey", "encryption key"),
        ("MASTER_KEY", "master key"),
        ("CLIENT_SECRET", "secret"),
        ("OAuth2ClientSecret", "secret"),
        ("APP_SECRETS", "secret"),
        ("AUTHTOKEN", "token"),
        ("GITHUB_TOKEN", "token"),
        ("TOKEN_HEADER", "token"),
        ("accessTokens", "token"),
        ("GOOGLE_CREDENTIALS", "credential"),
        ("DB_CREDS", "credential"),
    ],
)
def test_a_variable_named_like_a_credential_is_one(name: str, said: str) -> None:
    assert looks_like_credential(name, "x") == f"its name says {said}"


@pytest.mark.parametrize(
    "name",
    [
        "TOKENIZER_PATH", "KEYCLOAK_URL", "SORT_KEY", "PARTITION_KEY", "PASSENGER_COUNT", "BYPASS",
        "COMPASS", "SECRETARIAT", "LOG_LEVEL", "QUEUE_URL", "S3_BUCKET", "CACHE_TTL", "MONKEY",
        "DATABASE_HOST", "OAUTH_ISSUER", "PUBLIC_KEY", "KEYS", "SACRED", "tokenizerPath", "_",
    ],
)  # fmt: skip
def test_a_variable_whose_name_only_contains_such_letters_is_none(name: str) -> None:
    assert looks_like_credential(name, "x") is None


@pytest.mark.parametrize("value", ["", " ", "true", "False", "yes", "NO", "on", "off"])
def test_a_switch_is_no_credential_whatever_its_name(value: str) -> None:
    assert looks_like_credential("REQUIRE_PASSWORD", value) is None


@pytest.mark.parametrize("value", ["0", "3600", "none"])
def test_any_other_value_is_one_if_its_name_says_so(value: str) -> None:
    assert looks_like_credential("REQUIRE_PASSWORD", value) == "its name says password"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "a private key (PEM)"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key (PEM)"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "a private key (PEM)"),
        (JWT, "a JSON Web Token"),
        (AWS_KEY_ID, "an AWS access key id"),
        (f"id={AWS_KEY_ID};", "an AWS access key id"),
        ("ASIA" + AWS_KEY_ID[4:], "an AWS access key id"),
        ("ghp_" + LONG[:36], "a GitHub token"),
        ("github_pat_" + LONG, "a GitHub token"),
        ("glpat-" + LONG[:20], "a GitLab token"),
        ("xoxb-" + LONG, "a Slack token"),
        ("AIza" + LONG[:35], "a Google API key"),
        ("sk_live_" + LONG, "a Stripe key"),
        ("rk_test_" + LONG, "a Stripe key"),
        ("npm_" + LONG[:36], "an npm token"),
        ("pypi-AgEI" + LONG, "a PyPI token"),
        ("hvs." + LONG, "a Vault or OpenBao token"),
        ("hvb." + LONG, "a Vault or OpenBao token"),
        ("s." + LONG[:24], "a Vault or OpenBao token"),
        ("b." + LONG, "a Vault or OpenBao token"),
        ("Bearer " + LONG, "an HTTP Authorization header"),
        ("Authorization: basic " + "dXNlcjpwYXNz", "an HTTP Authorization header"),
        ("postgres://app:hunter2@db:5432/app", "a URL with a password"),
        ("redis://:hunter2@cache:6379/0", "a URL with a password"),
        ("jdbc:postgresql://app:hunter2@db/app", "a URL with a password"),
        ("see amqp://app:p%40ss@mq/ for more", "a URL with a password"),
        ("app:hunter2@tcp(db:3306)/app", "a MySQL DSN with a password"),
        ("host=db user=app password=hunter2", "a connection string with a password"),
        ("host=db password = 'hunter2'", "a connection string with a password"),
        ("Server=db;User Id=app;Password=hunter2;", "a connection string with a password"),
        ("Server=db;Uid=app;Pwd=hunter2", "a connection string with a password"),
        ("jdbc:mysql://db/app?user=app&password=hunter2", "a connection string with a password"),
        ("--user app --password=hunter2", "a connection string with a password"),
        ("AccountName=a;AccountKey=" + LONG, "a connection string with a key"),
        (
            '{"auths": {"harbor.sre.internal": {"auth": "dXNlcjpwYXNz"}}}',
            "a registry login (dockerconfigjson)",
        ),
    ],
)
def test_a_value_in_the_form_of_a_credential_is_one(value: str, form: str) -> None:
    reason = looks_like_credential("SETTING", value)
    assert reason == f"its value has the form of {form}"


@pytest.mark.parametrize(
    "value",
    [
        "info",
        "postgres://db:5432/app",
        "postgres://app@db:5432/app",
        "https://git.example.com/@scope/package",
        "https://registry.example.com:8443/@scope/package",
        "https://example.com/reset?show-password=1",
        "host=db user=app sslmode=require",
        "password=",
        "Server=db;Password=;Uid=app",
        "Basic auth",
        "Bearer of good news",
        "robot$team-alpha+ci",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "s.example.com",
        "eyJ.eyJ.eyJ",
        "sk_live",
        '{"auths": {}}',
    ],
)
def test_a_value_of_another_form_is_none(value: str) -> None:
    assert looks_like_credential("SETTING", value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "$(OTHER_VAR)"),
        ("DATABASE_URL", "postgres://app:$(DB_PASS)@db/app"),
        ("DSN", "host=db password=$(DB_PASS) user=app"),
        ("DSN", 'host=db password="$(DB_PASS)"'),
        ("DSN", "app:$(DB_PASS)@tcp(db:3306)/app"),
        ("HEADER", "Bearer $(ACCESS)"),
    ],
)
def test_a_reference_to_another_variable_is_no_credential(name: str, value: str) -> None:
    assert looks_like_credential(name, value) is None


def test_a_reference_with_more_beside_it_is_still_a_credential_by_its_name() -> None:
    assert looks_like_credential("DB_PASSWORD", "x$(OTHER_VAR)") == "its name says password"


def test_an_escaped_reference_is_a_literal_value() -> None:
    assert looks_like_credential("DB_PASSWORD", "$$(OTHER_VAR)") == "its name says password"


@pytest.mark.parametrize("name", ["DB_PASSWORD", "SETTING"])
def test_the_reason_never_shows_the_value(name: str) -> None:
    reason = looks_like_credential(name, "postgres://app:hunter2@db")
    assert reason is not None
    assert "hunter2" not in reason
