"""Names: the grammars of Kubernetes, DNS, Istio and OCI, and the message for a wrong name."""

import pytest

from specs.names import (
    check_dns_label,
    check_dns_name,
    check_env_name,
    check_host,
    check_tag,
    check_team_name,
    nearest,
)

EXAMPLE = "my-api.apps.sre.example.com"


@pytest.mark.parametrize("text", ["a", "0", "my-api", "a--b", "a" * 63])
def test_a_dns_label_is_accepted(text: str) -> None:
    check_dns_label(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the name is empty; write 1 to 63 characters"),
        ("My-api", "'My-api' contains 'M'; use lower-case letters, digits and '-' only"),
        ("my_api", "'my_api' contains '_'; use lower-case letters, digits and '-' only"),
        ("my.api", "'my.api' contains '.'; use lower-case letters, digits and '-' only"),
        ("my-api\n", r"'my-api\n' contains '\n'; use lower-case letters, digits and '-' only"),
        ("é", "'é' contains 'é'; use lower-case letters, digits and '-' only"),
        ("-api", "'-api' starts with '-'; start and end with a letter or digit"),
        ("api-", "'api-' ends with '-'; start and end with a letter or digit"),
        ("a" * 64, f"'{'a' * 40}'... has 64 characters; use 63 at most"),
    ],
)
def test_an_invalid_dns_label_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_dns_label(text)
    assert str(error.value) == message


def test_a_dns_label_can_be_limited_to_fewer_characters() -> None:
    check_dns_label("a" * 52, max_length=52)
    with pytest.raises(ValueError, match="has 53 characters; use 52 at most"):
        check_dns_label("a" * 53, max_length=52)


@pytest.mark.parametrize("text", ["a", "team-alpha", "a-1-b", "team-123", "1a", "nope", "a" * 63])
def test_a_team_s_name_is_accepted(text: str) -> None:
    check_team_name(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "pay--ments",
            "'pay--ments' has '-' twice in a row, which Harbor refuses in a project's name; "
            "write pay-ments",
        ),
        (
            "a---b--c",
            "'a---b--c' has '-' twice in a row, which Harbor refuses in a project's name; "
            "write a-b-c",
        ),
        (
            "007",
            "'007' is a number, which Harbor takes for a project's id; "
            "start with a letter, such as team-007",
        ),
        *(
            (
                text,
                f"'{text}' is not text in YAML unless it is quoted everywhere; "
                f"choose another name, such as team-{text}",
            )
            for text in ("null", "true", "no", "y", "off", "1e3", "1e-3", "0x1f", "0o7", "0b1")
        ),
        (
            "2026-01-31",
            "'2026-01-31' is not text in YAML unless it is quoted everywhere; "
            "choose another name, such as team-2026-01-31",
        ),
        ("a.b", "'a.b' contains '.'; use lower-case letters, digits and '-' only"),
    ],
)
def test_an_invalid_team_s_name_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_team_name(text)
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["a", "my-api-db-credentials", "a.b-c.0", "a" * 253])
def test_a_dns_name_is_accepted(text: str) -> None:
    check_dns_name(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the name is empty; write 1 to 253 characters"),
        ("a..b", "'a..b' has an extra '.'; put single dots between labels only"),
        ("a.", "'a.' has an extra '.'; put single dots between labels only"),
        ("good.-bad", "'-bad' starts with '-'; start and end with a letter or digit"),
        ("good.Bad", "'Bad' contains 'B'; use lower-case letters, digits and '-' only"),
        (
            "../team-beta",
            "'../team-beta' has an extra '.'; put single dots between labels only",
        ),
        ("a/b", "'a/b' contains '/'; use lower-case letters, digits and '-' only"),
        ("a" * 254, f"'{'a' * 40}'... has 254 characters; use 253 at most"),
    ],
)
def test_an_invalid_dns_name_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_dns_name(text)
    assert str(error.value) == message


@pytest.mark.parametrize("text", [EXAMPLE, "example.com", "1.example.com", "xn--bcher-kva.example"])
def test_a_host_name_is_accepted(text: str) -> None:
    check_host(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the name is empty; write 1 to 253 characters"),
        (
            "https://example.com",
            f"'https://example.com' contains a scheme; write only the host name, such as {EXAMPLE}",
        ),
        (
            "example.com/api",
            f"'example.com/api' contains a path; write only the host name, such as {EXAMPLE}",
        ),
        (
            "example.com:443",
            f"'example.com:443' contains a port; write only the host name, such as {EXAMPLE}",
        ),
        (
            "*.example.com",
            f"'*.example.com' contains a wildcard; write one full host name, such as {EXAMPLE}",
        ),
        ("10.0.0.1", f"'10.0.0.1' is an IP address, not a host name; write one such as {EXAMPLE}"),
        ("2001::1", f"'2001::1' is an IP address, not a host name; write one such as {EXAMPLE}"),
        ("my-api", f"'my-api' has no domain; write the full host name, such as {EXAMPLE}"),
        (
            "my-api.team-alpha.svc.cluster.local",
            "'my-api.team-alpha.svc.cluster.local' is a name inside the cluster; "
            f"write the host name that users call, such as {EXAMPLE}",
        ),
        (
            "my-api.team-alpha.svc",
            "'my-api.team-alpha.svc' is a name inside the cluster; "
            f"write the host name that users call, such as {EXAMPLE}",
        ),
        ("Example.com", "'Example' contains 'E'; use lower-case letters, digits and '-' only"),
        (
            "my_api.example.com",
            "'my_api' contains '_'; use lower-case letters, digits and '-' only",
        ),
        (f"{'a' * 64}.com", f"'{'a' * 40}'... has 64 characters; use 63 at most"),
    ],
)
def test_an_invalid_public_host_name_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_host(text)
    assert str(error.value) == message


def test_a_password_in_front_of_a_host_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="contains a user name or an '@'; ") as error:
        check_host("https://me:hunter2@example.com")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("text", ["LOG_LEVEL", "_", "a1", "httpProxy"])
def test_a_variables_name_is_accepted(text: str) -> None:
    check_env_name(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the name is empty; write one such as LOG_LEVEL"),
        ("LOG-LEVEL", "'LOG-LEVEL' contains '-'; use letters, digits and '_' only"),
        ("LOG LEVEL", "'LOG LEVEL' contains ' '; use letters, digits and '_' only"),
        ("A=B", "'A=B' contains '='; use letters, digits and '_' only"),
        ("2FA", "'2FA' starts with a digit; start with a letter or '_'"),
    ],
)
def test_an_invalid_variables_name_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_env_name(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "text", ["v1.0.0", "1", "_x", "2024-01-31", "latest-2", "sha256-ab", "a" * 128]
)
def test_a_tag_that_names_a_version_is_accepted(text: str) -> None:
    check_tag(text)


@pytest.mark.parametrize("text", ["latest", "Latest", "LATEST"])
def test_a_tag_called_latest_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as error:
        check_tag(text)
    assert str(error.value) == f"'{text}' is not a version; pin one such as \"v1.0.0\""


@pytest.mark.parametrize(
    "text", [f"v1@sha256:{'0' * 64}", f"sha256:{'0' * 64}", f"sha512:{'0' * 128}"]
)
def test_a_digest_in_a_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as error:
        check_tag(text)
    assert (
        str(error.value) == f"'{text}' contains a digest; write only the version here, and the "
        "digest in `digest`"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'the tag is empty; pin a version such as "v1.0.0"'),
        ("v1:2", "'v1:2' contains ':'; use letters, digits, '_', '.' and '-' only"),
        ("v1+build", "'v1+build' contains '+'; use letters, digits, '_', '.' and '-' only"),
        ("v1 ", "'v1 ' contains ' '; use letters, digits, '_', '.' and '-' only"),
        (".v1", "'.v1' starts with '.'; start with a letter, a digit or '_'"),
        ("-v1", "'-v1' starts with '-'; start with a letter, a digit or '_'"),
        ("a" * 129, f"'{'a' * 40}'... has 129 characters; use 128 at most"),
    ],
)
def test_an_invalid_tag_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_tag(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("word", "candidate"),
    [
        ("replica", "replicas"),
        ("imagePullpolicy", "imagePullPolicy"),
        ("REPLICAS", "replicas"),
        ("x", None),
    ],
)
def test_the_nearest_candidate_is_found_whatever_its_case(word: str, candidate: str | None) -> None:
    assert nearest(word, ["replicas", "imagePullPolicy", "resources"]) == candidate


def test_no_candidate_is_offered_below_the_asked_likeness() -> None:
    assert nearest("PST", ["EST"]) == "EST"
    assert nearest("PST", ["EST"], cutoff=0.75) is None
