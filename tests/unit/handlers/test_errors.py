"""Every kind of error has one message, and an unforeseen one leaves a reference in the log."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from slack_sdk.errors import SlackApiError

from bot.domain.slack import Actor, Requester, SlackLocation
from bot.messages import denials, explain, text_message
from bot.secmaster import Unreachable
from bot.slack.connect import NotInTime
from bot.slack.directory import LookupFailed
from bot.slack.error_codes import TRIGGER_GONE
from bot.slack.gateway import CannotPost, SlackFailed
from handlers.command_table import parse
from handlers.context import StillRecording
from handlers.errors import UserError, answer_before_ack, error_message
from handlers.payloads import SlashCommand
from tests.support.samples import ENGLISH

APP: Any = SimpleNamespace(catalogue=ENGLISH)  # these messages need nothing else of it


def slack_error(code: str) -> SlackApiError:
    error: SlackApiError = cast("Any", SlackApiError)("refused", {"ok": False, "error": code})
    return error


def test_a_user_error_is_its_own_message() -> None:
    message = denials.no_chat(ENGLISH)
    assert error_message(UserError(message), APP) is message


def test_a_closed_channel_is_told_apart_from_slack_in_trouble() -> None:
    closed = error_message(CannotPost("not_in_channel"), APP)
    assert closed == denials.cannot_post(ENGLISH, "not_in_channel")
    assert "Slack has a problem" in error_message(SlackFailed("timeout"), APP).text


def test_a_person_who_cannot_be_looked_up_is_told_to_try_again() -> None:
    assert "who you are" in error_message(LookupFailed(TimeoutError()), APP).text


async def test_who_is_late_is_told_whether_anything_is_being_recorded() -> None:
    assert "not recorded and not done" in error_message(NotInTime(), APP).text
    task = asyncio.create_task(asyncio.sleep(0))
    assert "not recorded yet" in error_message(StillRecording(task), APP).text
    await task


def test_an_error_of_secmasters_is_explained() -> None:
    error = Unreachable("no route")
    assert error_message(error, APP) == text_message(explain(ENGLISH, error))


@pytest.mark.parametrize("code", sorted(TRIGGER_GONE))
def test_a_trigger_that_is_over_is_told_as_too_late(code: str) -> None:
    assert error_message(slack_error(code), APP) == denials.too_late(ENGLISH)


def test_an_unforeseen_error_is_found_in_the_log_by_its_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = KeyError("x")
    with caplog.at_level(logging.ERROR, logger="handlers.errors"):
        message = error_message(error, APP)
    record = caplog.records[-1]
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert cast("Any", record).reference in message.text


def test_nothing_sent_is_said_only_where_something_was_to_be_sent() -> None:
    claim = "nothing was sent to SecMaster"
    for error in (KeyError("x"), slack_error("invalid_arguments")):
        assert claim not in error_message(error, APP).text
        assert claim in error_message(error, APP, nothing_sent=True).text


@pytest.mark.parametrize(
    ("words", "operation", "is_said"),
    [
        ("task list", "", False),
        ("whoami", "", False),
        ("task approve t-1", "", True),
        ("task approve t-1", "0f3a", False),  # it may be on record by now
    ],
)
async def test_after_a_command_it_depends_on_what_was_asked_for(
    words: str, operation: str, is_said: bool
) -> None:
    requester = Requester(Actor(id="U0ALICE"), SlackLocation(channel="C0SOC"))
    requester.trace.sends = parse(words).command.sends
    requester.trace.operation = operation
    payload = SlashCommand(requester, "/secmaster", words, "1.2")
    response = await answer_before_ack(APP, KeyError("x"), payload)
    assert ("nothing was sent to SecMaster" in str(response.body)) is is_said


def test_what_slack_refuses_for_our_mistake_is_one_line_with_its_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, logger="handlers.errors"):
        message = error_message(slack_error("invalid_arguments"), APP)
    [record] = caplog.records
    assert not record.exc_info
    assert cast("Any", record).code == "invalid_arguments"
    assert cast("Any", record).reference in message.text
