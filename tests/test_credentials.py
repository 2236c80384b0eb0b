"""Plain environment variables that are credentials, and those that only look like it."""

import pytest

from specs.credentials import looks_like_credential

# Assembled here, so that no scanner reports a line of this file as a leak.
AWS_KEY_ID = "AKIA" + "Q3EGZ7EXAMPLE234"
JWT = ".".join(["eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0In0", "c2lnbmF0dXJl"])
LONG = "a1B2" * 12
HEX = "0a1b" * 16


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
        ("DB_PW", "password"),
        ("SMTP_PASS", "password"),
        ("APP_KEY", "app key"),
        ("BEARER", "bearer token"),
        ("AUTHORIZATION", "authorization"),
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
        ("JWT", "JSON Web Token"),
        ("userJwt", "JSON Web Token"),
        ("DSN", "connection string"),
        ("SENTRY_DSN", "connection string"),
        ("DATABASE_CONNECTION_STRING", "connection string"),
        ("GITHUB_PAT", "personal access token"),
        ("AZURE_STORAGE_KEY", "storage key"),
        ("SESSION_KEY", "session key"),
        ("API_KEY_PROD", "API key"),
        # Their subject precedes them, or another credential follows.
        ("URL_TOKEN", "token"),
        ("TOKEN_URL_SECRET", "secret"),
        ("MAX_DB_PASSWORD", "password"),
        ("APP_ACCESS_KEY_ID", "access key"),
        ("VAULT_SECRET_ID", "secret"),
        ("PWD", "password"),
        ("COMPLETION_TOKENS", "token"),
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
        "JWKS_URL", "COMPAT", "PATH", "ADSN", "DSN_POOL",
    ],
)  # fmt: skip
def test_a_variable_whose_name_only_contains_such_letters_is_not_one(name: str) -> None:
    assert looks_like_credential(name, "x") is None


@pytest.mark.parametrize(
    "name",
    [
        "MAX_TOKENS", "maxOutputTokens", "TOKENS_PER_MINUTE", "OIDC_TOKEN_URL", "TOKEN_ENDPOINT",
        "SSH_KEY_PATH", "DB_PASSWORD_FILE", "SECRETS_DIR", "TOKEN_TTL", "tokenTtlSeconds",
        "TOKEN_EXPIRES_IN", "SECRET_REFRESH_INTERVAL", "ACCESS_TOKEN_LIFETIME", "API_KEY_PREFIX",
        "SESSION_KEY_PREFIX", "PASSWORD_MIN_LENGTH", "PASSWORD_RESET_URL", "SECRET_NAME",
        "AWS_SECRETS_MANAGER_REGION", "JWT_ISSUER", "JWT_ALGORITHM", "TOKEN_TYPE",
        "CREDENTIALS_PROVIDER", "CLIENT_SECRET_VERSION", "STOP_TOKEN", "EOS_TOKEN", "PAD_TOKEN_ID",
        "PASSWORD_HASHER", "TOKEN_VALIDITY", "TOKEN_LIFESPAN", "AWS_SECRET_ARN", "SIGNING_KEY_ID",
        "TOKEN_SECRET_REF", "PASS_THROUGH",
    ],
)  # fmt: skip
def test_a_variable_about_a_credential_is_not_one(name: str) -> None:
    assert looks_like_credential(name, "x") is None


def test_a_variable_about_a_credential_is_one_if_its_value_is() -> None:
    reason = looks_like_credential("OIDC_TOKEN_URL", "https://app:hunter2@idp.example.com")
    assert reason == "its value looks like a URL with a password"


def test_the_place_of_a_credential_is_not_one() -> None:
    assert looks_like_credential("GOOGLE_APPLICATION_CREDENTIALS", "/etc/gcp/key.json") is None
    assert looks_like_credential("DB_PASSWORD", "/hunter2") == "its name says password"


@pytest.mark.parametrize("value", ["", " ", "true", "False", "yes", "NO", "on", "off"])
def test_a_switch_is_not_a_credential_whatever_its_name(value: str) -> None:
    assert looks_like_credential("REQUIRE_PASSWORD", value) is None


@pytest.mark.parametrize("name", ["CORS_ALLOW_CREDENTIALS", "REQUIRE_PASSWORD", "USE_TOKEN"])
@pytest.mark.parametrize("value", ["0", "1"])
def test_0_and_1_are_switches_where_the_name_asks_yes_or_no(name: str, value: str) -> None:
    assert looks_like_credential(name, value) is None


def test_0_and_1_are_not_switches_elsewhere() -> None:
    assert looks_like_credential("DB_PASSWORD", "1") == "its name says password"


@pytest.mark.parametrize("name", ["COMPLETION_TOKENS", "CONTEXT_TOKENS", "RATE_LIMIT_TOKENS"])
def test_a_small_number_of_tokens_is_a_count(name: str) -> None:
    assert looks_like_credential(name, "128000") is None
    assert looks_like_credential(name, "4815162342") == "its name says token"


def test_the_working_directory_is_not_a_password() -> None:
    assert looks_like_credential("PWD", "/app") is None
    assert looks_like_credential("MYSQL_PWD", "/app") == "its name says password"


@pytest.mark.parametrize("value", ["10", "3600", "none"])
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
        ("ABIA" + AWS_KEY_ID[4:], "an AWS access key id"),
        ("wJalr/" + LONG[:34], "an AWS secret access key"),
        ("-----BEGIN OPENSSH " + "PRIVATE KEY-----", "a private key (PEM)"),
        ("-----BEGIN ENCRYPTED " + "PRIVATE KEY-----", "a private key (PEM)"),
        ("PuTTY-User-Key-" + "File-3: ssh-ed25519", "a private key (PuTTY)"),
        ("AGE-SECRET-KEY-" + "1" + "Q" * 40, "a private key (age)"),
        ("gho_" + LONG[:36], "a GitHub token"),
        ("glrt-" + LONG[:20], "a GitLab token"),
        ("xoxp-" + LONG, "a Slack token"),
        ("xoxe.xoxp-" + LONG, "a Slack token"),
        ("xapp-" + LONG, "a Slack token"),
        ("https://hooks.slack.com/" + "services/T0/B0/" + LONG, "a webhook's address"),
        ("https://discord.com/api/" + "webhooks/12/" + LONG, "a webhook's address"),
        ("GOCSPX-" + LONG[:28], "a Google OAuth secret"),
        ("ya29." + LONG, "a Google OAuth secret"),
        ("abc8Q~" + LONG[:34], "an Azure client secret"),
        ("https://x.blob.core.windows.net/c?sv=1&sig=" + LONG, "an Azure signature (SAS)"),
        ("LTAI" + LONG[:20], "an Alibaba Cloud access key"),
        ("sk-" + LONG, "an OpenAI or Anthropic key"),
        ("sk-proj-" + LONG, "an OpenAI or Anthropic key"),
        ("sk-ant-api03-" + LONG, "an OpenAI or Anthropic key"),
        ("hf_" + LONG[:34], "a Hugging Face token"),
        ("whsec_" + LONG, "a Stripe key"),
        ("SG." + LONG[:22] + "." + LONG[:43], "a SendGrid key"),
        ("key-" + HEX[:32], "a Mailgun key"),
        (HEX[:32] + "-us12", "a Mailchimp key"),
        ("SK" + HEX[:32], "a Twilio key"),
        ("123456789:" + "AA" + LONG[:33], "a Telegram bot's token"),
        ("shpat_" + HEX[:32], "a Shopify token"),
        ("sq0csp-" + LONG[:43], "a Square token"),
        ("ATATT3" + LONG, "an Atlassian token"),
        ("ATBB" + LONG[:32], "an Atlassian token"),
        ("dckr_pat_" + LONG[:27], "a Docker Hub token"),
        ("rubygems_" + HEX[:48], "a RubyGems key"),
        ("oy2" + HEX[:43], "a NuGet key"),
        ("AKCp" + LONG + LONG[:21], "an Artifactory token"),
        ("sqp_" + HEX[:40], "a SonarQube token"),
        ("dop_v1_" + HEX[:64], "a DigitalOcean token"),
        ("dapi" + HEX[:32], "a Databricks token"),
        ("glsa_" + LONG[:32] + "_" + HEX[:8], "a Grafana token"),
        ("NRAK-" + "A1B2" * 7, "a New Relic key"),
        ("sntryu_" + HEX[:64], "a Sentry token"),
        ("pul-" + HEX[:40], "a Pulumi token"),
        (LONG[:14] + ".atlasv1." + LONG, "a Terraform Cloud token"),
        ("dp.pt." + LONG, "a Doppler token"),
        ("pscale_tkn_" + LONG, "a PlanetScale token"),
        ("PMAK-" + HEX[:24], "a Postman key"),
        ("sbp_" + HEX[:40], "a Supabase token"),
        ("lin_api_" + LONG[:40], "a Linear key"),
        ("ntn_" + LONG[:46], "a Notion token"),
        ("pat" + LONG[:14] + "." + HEX[:64], "an Airtable token"),
        ("app:$apr1$" + "abcd$" + LONG[:22], "a password's hash"),
        ("$2b$12$" + LONG + "abcde", "a password's hash"),
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
        ("https://example.com/hook?token=hunter2", "a URL with a credential"),
        ("https://example.com/v1?q=1&api_key=hunter2", "a URL with a credential"),
        ("https://example.com/v1?access_token=hunter2", "a URL with a credential"),
        ("https://example.com/v1?apikey=" + LONG, "a URL with a credential"),
        ("/download?sig=hunter2", "a URL with a credential"),
        ("https://b.s3.example.com/f?X-Amz-Signature=" + HEX, "a URL with a credential"),
        ("jdbc:oracle:thin:scott/tiger@//db:1521/x", "an Oracle URL with a password"),
        ("base64:" + LONG[:43] + "=", "a Laravel key"),
        ("AccountName=a;AccountKey=" + LONG, "a connection string with a key"),
        (
            '{"auths": {"harbor.sre.internal": {"auth": "dXNlcjpwYXNz"}}}',
            "a registry login (dockerconfigjson)",
        ),
    ],
)
def test_a_value_in_the_form_of_a_credential_is_one(value: str, form: str) -> None:
    reason = looks_like_credential("SETTING", value)
    assert reason == f"its value looks like {form}"


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
        "sk-learn-model-serving-in-production",
        "sk-learn-pipeline-Version-2-abcdef",
        "b.example-bucket-name-for-all-users",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "monkey-" + "0a1b" * 8,
        "sha256:" + "0a1b" * 16,
        "postgres://app:${DB_PASS}@db/app",
        "https://example.com/a?big=1&design=2",
        "https://example.com/a?token=",
        "https://example.com/a?token=${TOKEN}&sig=$(SIG)",
        "https://example.com/a?tokenizer=bpe-large&significant=yes",
        "jdbc:oracle:thin:@//db:1521/x",
        "jdbc:oracle:thin:scott/$(DB_PASS)@//db:1521/x",
        "jdbc:oracle:thin:/@db",
        '{"auths": {}}',
    ],
)
def test_a_value_of_another_form_is_not_one(value: str) -> None:
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
        ("DSN", "postgres://app:$(DB_PASS)@db/app"),
        ("SETTING", "psql password=$DB_PASS"),
    ],
)
def test_a_reference_to_another_variable_is_not_a_credential(name: str, value: str) -> None:
    assert looks_like_credential(name, value) is None


def test_a_reference_with_more_beside_it_is_still_a_credential_by_its_name() -> None:
    assert looks_like_credential("DB_PASSWORD", "x$(OTHER_VAR)") == "its name says password"


def test_an_escaped_reference_is_a_literal_value() -> None:
    assert looks_like_credential("DB_PASSWORD", "$$(OTHER_VAR)") == "its name says password"
    assert looks_like_credential("DSN", "x$$(OTHER_VAR)") == "its name says connection string"


@pytest.mark.parametrize("name", ["DB_PASSWORD", "SETTING"])
def test_the_reason_never_shows_the_value(name: str) -> None:
    reason = looks_like_credential(name, "postgres://app:hunter2@db")
    assert reason is not None
    assert "hunter2" not in reason
