"""The settings of a run: the stack's, and what the environment leaves out of them."""

import asyncio
import contextvars
import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, set_all_config

from components.config import stack_settings
from specs.settings import LEAVE_OUT, PREFIX, Manage, Settings
from tests.program import ROOT


class NoServers(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise NotImplementedError


def settings_with(leave_out: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(LEAVE_OUT, leave_out)

    async def settings() -> Settings:
        mocks.set_mocks(NoServers(), stack="dev")
        config = {"teams": "*", "kubernetes": {"clusterIdentifier": "test"}}
        set_all_config(
            {PREFIX + k: v if isinstance(v, str) else json.dumps(v) for k, v in config.items()}
        )
        return stack_settings(ROOT)

    # The SDK keeps its state in context variables.
    return contextvars.Context().run(lambda: asyncio.run(settings()))


@pytest.mark.parametrize(
    ("leave_out", "managed"),
    [
        ("", Manage()),
        ("harbor", Manage(harbor=False)),
        ("harbor, openbao", Manage(harbor=False, openbao=False)),
    ],
)
def test_the_environment_can_leave_targets_out_of_a_run(
    leave_out: str, managed: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_with(leave_out, monkeypatch).manage == managed


def test_a_target_that_there_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError) as error:
        settings_with("habor", monkeypatch)
    assert str(error.value) == (
        "SRE_PLATFORM_LEAVE_OUT: 'habor' is no target; use kubernetes, harbor, openbao"
    )
