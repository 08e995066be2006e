"""Slack's payloads become a requester: who asks, from where, and whether anybody does."""

import asyncio
from typing import Any, cast

import pytest
import sqlalchemy as sa

from bot.domain.slack import Actor, SlackLocation
from handlers.context import (
    Recorder,
    StillRecording,
    actor_of,
    attempt_id,
    has_requester,
    location_of,
    requester_of,
    stable_id,
)

Body = dict[str, Any]

COMMAND: Body = {
    "command": "/secmaster",
    "user_id": "U0ALICE",
    "user_name": "alice",
    "team_id": "T0HOME",
    "channel_id": "C0SOC",
    "channel_name": "soc",
    "response_url": "https://hooks.example/1",
}
EVENT: Body = {
    "team_id": "T0HOME",
    "event": {"user": "U0ALICE", "team": "T0HOME", "channel": "C0SOC", "thread_ts": "17.1"},
}
CLICK: Body = {
    "user": {"id": "U0ALICE", "username": "alice", "team_id": "T0HOME"},
    "team": {"id": "T0HOME"},
    "channel": {"id": "C0SOC", "name": "soc"},
    "container": {"message_ts": "17.2", "channel_id": "C0SOC", "is_ephemeral": False},
    "message": {"thread_ts": "17.1"},
    "response_url": "https://hooks.example/1",
}
SUBMISSION: Body = {
    "type": "view_submission",
    "user": {"id": "U0ALICE", "username": "alice", "team_id": "T0HOME"},
    "team": {"id": "T0HOME"},
}


def event(**fields: str) -> Body:
    return {"team_id": "T0HOME", "event": {"user": "U0ALICE", **fields}}


@pytest.mark.parametrize("body", [COMMAND, EVENT, CLICK, SUBMISSION])
def test_what_a_person_does_has_a_requester(body: Body) -> None:
    assert has_requester(body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "app_rate_limited", "team_id": "T0HOME"},
        {"event": None},
        {"user": "U0ALICE"},
        {"user": {}},
        {"user": {"id": ""}},
        COMMAND | {"user_id": ""},
        COMMAND | {"channel_id": ""},
        COMMAND | {"team_id": ""},
    ],
)
def test_a_payload_that_names_no_person_has_no_requester(body: Body) -> None:
    assert not has_requester(body)


@pytest.mark.parametrize("body", [COMMAND, CLICK, SUBMISSION])
def test_the_actor_has_an_id_a_name_and_a_team(body: Body) -> None:
    assert actor_of(body) == Actor(id="U0ALICE", name="alice", team="T0HOME")


def test_an_event_does_not_tell_the_actors_name() -> None:
    assert actor_of(EVENT) == Actor(id="U0ALICE", team="T0HOME")


def test_an_event_of_another_organisation_carries_its_own_team() -> None:
    assert actor_of(event(user_team="T0OTHER", team="T0HOME")).team == "T0OTHER"


def test_an_event_without_a_team_is_of_the_workspace_that_it_comes_from() -> None:
    assert actor_of(event()).team == "T0HOME"


def test_an_event_without_a_user_has_an_actor_without_an_id() -> None:
    assert actor_of({"event": {}}) == Actor(id="")


def test_a_click_without_the_users_team_is_of_the_payloads_team() -> None:
    body = CLICK | {"user": {"id": "U0ALICE", "name": "alice"}}
    assert actor_of(body) == Actor(id="U0ALICE", name="alice", team="T0HOME")


def test_a_command_is_located_in_its_channel() -> None:
    assert location_of(COMMAND) == SlackLocation(
        channel="C0SOC", response_url="https://hooks.example/1", channel_name="soc"
    )


def test_an_event_is_located_in_its_thread() -> None:
    assert location_of(EVENT) == SlackLocation(channel="C0SOC", thread="17.1")


def test_a_click_is_located_at_the_card_and_its_thread() -> None:
    assert location_of(CLICK) == SlackLocation(
        channel="C0SOC",
        card="17.2",
        thread="17.1",
        response_url="https://hooks.example/1",
        channel_name="soc",
    )


def test_a_message_that_only_one_person_sees_is_no_card() -> None:
    container = CLICK["container"] | {"is_ephemeral": True}
    assert location_of(CLICK | {"container": container}).card == ""


def test_a_click_in_a_message_that_slack_leaves_out_is_located_by_its_container() -> None:
    container = {"message_ts": "17.2", "channel_id": "C0SOC", "thread_ts": "17.1"}
    assert location_of({"user": CLICK["user"], "container": container}) == SlackLocation(
        channel="C0SOC", card="17.2", thread="17.1"
    )


def test_a_submission_and_a_press_on_home_are_located_nowhere() -> None:
    assert location_of(SUBMISSION) == SlackLocation()
    assert location_of(SUBMISSION | {"container": {"type": "view"}}) == SlackLocation()


@pytest.mark.parametrize("name", ["privategroup", "directmessage", "mpdm"])
def test_slacks_words_for_the_kind_of_a_channel_are_no_names(name: str) -> None:
    assert location_of(COMMAND | {"channel_name": name}).channel_name == ""
    assert location_of(CLICK | {"channel": {"id": "C0SOC", "name": name}}).channel_name == ""


def test_the_requester_is_the_actor_and_the_location() -> None:
    requester = requester_of(CLICK)
    assert (requester.actor, requester.location) == (actor_of(CLICK), location_of(CLICK))


def test_the_id_of_a_key_is_the_same_each_time_and_its_own() -> None:
    assert stable_id("T0HOME:1") == stable_id("T0HOME:1")
    assert stable_id("T0HOME:1") != stable_id("T0HOME:2")
    assert stable_id("").isalnum()
    assert len(stable_id("T0HOME:1")) == 32


def test_a_refused_attempt_has_an_id_of_its_own_and_the_same_each_time() -> None:
    assert attempt_id("T0HOME:1") == attempt_id("T0HOME:1")
    assert attempt_id("T0HOME:1") not in (attempt_id("T0HOME:2"), stable_id("T0HOME:1"))


async def test_what_is_recorded_goes_on_where_its_listener_is_out_of_time() -> None:
    is_free, nothing = asyncio.Event(), cast("Any", None)
    recorder = Recorder(nothing, nothing, nothing, nothing)

    async def recording() -> str:
        await is_free.wait()
        return "recorded"

    with pytest.raises(StillRecording) as raised:
        async with asyncio.timeout(0.01):
            await recorder.record(recording)
    is_free.set()
    assert await raised.value.recording == "recorded"
    assert await recorder.record(recording) == "recorded"


BROKEN = sa.exc.OperationalError("", None, Exception("gone"), connection_invalidated=True)
LOCKED = sa.exc.OperationalError("", None, Exception("locked"))


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([BROKEN], None),
        ([BROKEN, LOCKED], BROKEN),  # the first try may stand, whatever became of the second
        ([LOCKED], LOCKED),
    ],
)
async def test_what_may_be_recorded_already_is_recorded_again_once(
    errors: list[Exception], raised: Exception | None
) -> None:
    nothing, left = cast("Any", None), [*errors]

    async def recording() -> str:
        if left:
            raise left.pop(0)
        return "recorded"

    recorder = Recorder(nothing, nothing, nothing, nothing)
    if raised is None:
        assert await recorder.record(recording) == "recorded"
        return
    with pytest.raises(sa.exc.OperationalError) as info:
        await recorder.record(recording)
    assert info.value is raised
    assert left == []


async def test_what_can_not_be_recorded_raises_in_its_listener() -> None:
    nothing = cast("Any", None)

    async def recording() -> None:
        raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        await Recorder(nothing, nothing, nothing, nothing).record(recording)
