"""`sre-platform:adopt` where nothing runs yet: the setting is harmless."""

import pytest

from tests.checkouts import Checkout

pytestmark = pytest.mark.engine


def test_with_nothing_to_take_over_everything_is_made(fresh: Checkout) -> None:
    settings = fresh.folder / "Pulumi.dev.yaml"
    without = settings.read_text()
    settings.write_text(without + "  sre-platform:adopt: true\n")
    run = fresh.up()
    assert "Remove the setting" in run.output
    assert run.count("created") == len(fresh.resources())

    settings.write_text(without)
    run = fresh.run("preview")
    assert run.count("to update") == 1, run.output
    assert "pulumi:providers:kubernetes: (update)" in run.output
