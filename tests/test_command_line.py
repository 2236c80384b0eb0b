"""`./sre` itself: its answer to an unknown command, and to none."""

import pytest

from cli.__main__ import main


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("valdate", "did you mean validate?"),
        ("set_image", "did you mean set-image?"),
        ("Diff", "did you mean diff?"),
        ("frobnicate", "choose from validate, capacity, new, "),
    ],
)
def test_an_unknown_command_gets_the_nearest_one(
    capsys: pytest.CaptureFixture[str], word: str, hint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([word])
    assert ended.value.code == 2
    assert f"./sre: error: no command '{word}'; {hint}" in capsys.readouterr().err


def test_without_a_command_the_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "validate check team files" in " ".join(said.err.split())
