"""The settings of a run: the stack's, and what the environment leaves out of them."""

import asyncio
import contextvars
import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, set_all_config

from components.config import given_config, stack_settings
from specs.settings import LEAVE_OUT, PREFIX, Manage, Settings
from specs.stack_file import decoded
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
        given = {"teams": "*", "kubernetes": {"clusterIdentifier": "test"}}
        set_all_config(
            {PREFIX + k: v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}
        )
        return stack_settings(ROOT)

    # The SDK keeps its state in context variables.
    return contextvars.Context().run(lambda: asyncio.run(settings()))


@pytest.mark.parametrize(
    ("leave_out", "managed"),
    [
        ("", Manage()),
        ("harbor", Manage(harbor=False)),
    ],
)
def test_the_environment_can_leave_harbor_out_of_a_run(
    leave_out: str, managed: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_with(leave_out, monkeypatch).manage == managed


@pytest.mark.parametrize("target", ["kubernetes", "openbao", "habor"])
def test_what_would_delete_objects_cannot_be_left_out(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(pulumi.RunError) as error:
        settings_with(target, monkeypatch)
    assert str(error.value) == (
        f"SRE_PLATFORM_LEAVE_OUT: '{target}' cannot be left out; only harbor can"
    )


@pytest.mark.parametrize(
    "written",
    ["null", "true", "1", '"1"', "[1", "{}", '["team-a"]', "*", '"*"', "", "no"],
)
@pytest.mark.parametrize("setting", ["teams", "adopt", "tenants", "harbor"])
def test_the_engine_s_text_of_a_setting_means_what_it_means_in_the_file(
    setting: str, written: str
) -> None:
    key = PREFIX + setting

    async def given() -> dict[str, Any]:
        mocks.set_mocks(NoServers(), stack="dev")
        set_all_config({key: written})
        return given_config()

    assert contextvars.Context().run(lambda: asyncio.run(given())) == {key: decoded(key, written)}
