"""Where the bot may post, asked of a real local Slack."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.reasons import ChannelRefusal
from bot.policy.config import PolicyHolder, parse
from bot.sandbox.faults import Fault
from bot.slack.channels import Channels, is_shared_outside
from tests.support.clock import FakeClock
from tests.support.people import ONCALL, PARTNERS, PRIVATE, RANDOM, SOC
from tests.support.slack_recorder import SlackRecorder

POLICY = f'[channels]\nallow = ["{SOC}", "{ONCALL}", "{PARTNERS}", "{PRIVATE}"]\n'


@pytest.fixture
def policy() -> PolicyHolder:
    return PolicyHolder(parse(POLICY), Path("none.toml"))


@pytest.fixture
async def channels(
    slack: SlackRecorder, policy: PolicyHolder, clock: FakeClock
) -> AsyncIterator[Channels]:
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(
            "xoxb-demo", base_url=f"{slack.url}/api/", session=session, retry_handlers=[]
        )
        yield Channels(client, policy, clock)


@pytest.mark.parametrize(
    ("channel", "shared"),
    [
        ({}, False),
        ({"is_shared": False, "is_ext_shared": False}, False),
        ({"is_shared": True, "is_ext_shared": True}, True),
        ({"is_pending_ext_shared": True}, True),
        ({"is_shared": True, "is_org_shared": True}, False),
        ({"is_shared": True, "is_org_shared": True, "is_ext_shared": True}, True),
        ({"is_shared": True}, True),
    ],
)
def test_a_channel_is_shared_by_what_slack_says_of_it(
    channel: dict[str, object], *, shared: bool
) -> None:
    assert is_shared_outside(channel) is shared


async def test_only_channels_that_the_policy_names_are_asked_about(
    channels: Channels, slack: SlackRecorder, policy: PolicyHolder
) -> None:
    assert await channels.refusal(RANDOM) is ChannelRefusal.NOT_NAMED
    assert await channels.refusal("D0ALICE") is None
    assert slack.calls == []
    assert await channels.refusal(SOC) is None
    assert await channels.refusal(PARTNERS) is ChannelRefusal.SHARED
    assert [call.method for call in slack.calls] == ["conversations.info"] * 2
    policy.current = parse(f"{POLICY}shared = true\n")
    assert await channels.refusal(PARTNERS) is None
    assert len(slack.calls) == 2


async def test_an_answer_is_kept_for_a_minute(
    channels: Channels, slack: SlackRecorder, clock: FakeClock
) -> None:
    assert await channels.refusal(SOC) is None
    slack.workspace.channels[SOC].is_pending_ext_shared = True
    assert await channels.refusal(SOC) is None
    clock.forward(minutes=1, seconds=1)
    assert await channels.refusal(SOC) is ChannelRefusal.SHARED


@pytest.mark.parametrize(
    "fault",
    [
        Fault(on="*", status=500),
        Fault(on="*", status=200, html=True),
        Fault(on="*", status=429, retry_after=0),
        Fault(on="*", status=200, code="missing_scope"),
        Fault(on="*", hang_up=True),
    ],
    ids=lambda fault: fault.code or fault.status or "hang-up",
)
async def test_where_slack_does_not_tell_its_last_answer_holds_and_else_the_policy(
    channels: Channels, slack: SlackRecorder, clock: FakeClock, fault: Fault
) -> None:
    assert await channels.refusal(PARTNERS) is ChannelRefusal.SHARED
    clock.forward(minutes=2)
    await slack.faults.set(fault)
    assert await channels.refusal(PARTNERS) is ChannelRefusal.SHARED
    assert await channels.refusal(ONCALL) is None
    assert await channels.refusal(RANDOM) is ChannelRefusal.NOT_NAMED
    await slack.faults.clear()
    assert await channels.refusal(PRIVATE) is None  # the bot is not in it, and may not post there
