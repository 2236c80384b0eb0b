"""Quantities: read as Kubernetes reads them, and refused where the author meant another."""

from fractions import Fraction

import pytest

from specs.quantity import canonical, check_cpu, check_memory, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Fraction(0)),
        ("1", Fraction(1)),
        ("-1.5", Fraction(-3, 2)),
        ("+.5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("0.1", Fraction(1, 10)),
        ("100n", Fraction(1, 10**7)),
        ("100u", Fraction(1, 10**4)),
        ("100m", Fraction(1, 10)),
        ("2k", Fraction(2000)),
        ("2M", Fraction(2 * 10**6)),
        ("2G", Fraction(2 * 10**9)),
        ("2T", Fraction(2 * 10**12)),
        ("2P", Fraction(2 * 10**15)),
        ("1E", Fraction(10**18)),
        ("1E3", Fraction(1000)),
        ("1e3", Fraction(1000)),
        ("12E-1", Fraction(6, 5)),
        ("1Ki", Fraction(2**10)),
        ("1.5Mi", Fraction(3 * 2**19)),
        ("1Gi", Fraction(2**30)),
        ("1Ti", Fraction(2**40)),
        ("1Pi", Fraction(2**50)),
        ("1Ei", Fraction(2**60)),
        ("9223372036854775807", Fraction(2**63 - 1)),
    ],
)
def test_a_quantity_has_the_exact_value_that_kubernetes_gives_it(
    text: str, value: Fraction
) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "128MB", "128mi", "1K", "1ki", "1kB", "1 Gi", " 1", "1\n", "1e", "1e3k", "1Ki5",
        ".", "-", "--1", "1,5", "1_000", "0x10", "1/2", "inf", "nan", "٣", "1e9999", "half",
    ],
)  # fmt: skip
def test_an_invalid_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as error:
        parse(text)
    hint = "is not a quantity; write a number with a unit such as 128Mi or 500m"
    assert str(error.value) == f"{text!r} {hint}"


def test_a_number_of_thousands_of_digits_is_refused_in_a_short_line() -> None:
    with pytest.raises(ValueError, match="is not a quantity; ") as error:
        parse("9" * 5000)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("text", ["9223372036854775808", "8Ei", "-8Ei", "10E", "1e99"])
def test_more_than_kubernetes_can_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as error:
        parse(text)
    assert str(error.value) == f"'{text}' is too large for Kubernetes; write less than 8Ei"


@pytest.mark.parametrize(
    ("text", "value"), [("1m", Fraction(1, 1000)), ("0.25", Fraction(1, 4)), ("2", Fraction(2))]
)
def test_cpu_down_to_a_thousandth_is_accepted(text: str, value: Fraction) -> None:
    assert check_cpu(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "'0' is not above zero; write CPUs such as 500m or 2"),
        ("-500m", "'-500m' is not above zero; write CPUs such as 500m or 2"),
        (
            "0.0005",
            "'0.0005' is finer than 1m; write CPUs in whole thousandths such as 500m",
        ),
        ("1.5m", "'1.5m' is finer than 1m; write CPUs in whole thousandths such as 500m"),
        (
            "500 m",
            "'500 m' is not a quantity; write a number with a unit such as 128Mi or 500m",
        ),
    ],
)
def test_cpu_that_is_not_positive_or_too_fine_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_cpu(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("128Mi", 128 * 2**20),
        ("0.5Gi", 2**29),
        ("64k", 64_000),
        ("1048576", 2**20),
        ("128e6", 128_000_000),
    ],
)
def test_memory_of_whole_bytes_is_accepted(text: str, value: int) -> None:
    assert check_memory(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("128m", "128m is 0.128 bytes; write 128Mi"),
        ("1000m", "1000m is 1 bytes; write 1000Mi"),
        ("512", "512 is 512 bytes; write 512Mi"),
        ("+1.5", "+1.5 is 1.5 bytes; write 1.5Mi"),
        ("0.1Ki", "0.1Ki is 102.4 bytes; write a whole number such as 128Mi"),
        ("0", "'0' is not above zero; write memory such as 128Mi"),
        ("-1Gi", "'-1Gi' is not above zero; write memory such as 128Mi"),
        (
            "128MB",
            "'128MB' is not a quantity; write a number with a unit such as 128Mi or 500m",
        ),
    ],
)
def test_memory_that_lacks_its_unit_or_is_not_whole_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_memory(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1000m", "1"),
        ("1.5", "1500m"),
        ("0.25", "250m"),
        ("2", "2"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1000Mi", "1000Mi"),
        ("128000k", "128M"),
        ("1e4", "10e3"),
        ("1e1", "10"),
    ],
)
def test_a_quantity_is_written_as_the_api_server_writes_it(written: str, text: str) -> None:
    assert canonical(written) == text
    assert parse(text) == parse(written)
