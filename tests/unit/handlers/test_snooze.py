"""The choices of a card's snooze menu: what each means, and that an unknown one changes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from bot.domain.objects import Ref
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Actor, Requester, SlackLocation
from bot.domain.workspaces import Workspaces
from bot.messages import denials
from bot.messages.cards import END_SNOOZE, SNOOZES
from bot.policy.decide import Refused
from bot.services import Services
from handlers import buttons
from handlers.command_row import Arguments
from handlers.context import AppContext, Recorder
from handlers.errors import UserError
from handlers.parsing import ParseError
from handlers.payloads import Press
from handlers.requests import SnoozeChoice
from handlers.watch import ChangeSnooze, SnoozeScope, parse_snooze, refusal_of_all, snooze_end
from tests.support.samples import ENGLISH

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ALICE = Requester(Actor(id="U0ALICE", team="T0HOME"), SlackLocation(channel="C0SOC", card="17.2"))


@dataclass
class StoppedClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


class DirectoryInBerlin:
    async def time_zone(self, _user: str) -> ZoneInfo:
        return ZoneInfo("Europe/Berlin")


def app_with(**services: object) -> AppContext:
    """Return a context that has these services, and None for every other."""
    names = (
        *("workspaces", "slack", "cards", "directory", "store", "policy", "clock", "timeouts"),
        *("background", "evidence", "process_id"),
    )
    others = dict.fromkeys(names) | services
    bundle: Any = Services(**cast("Any", {"catalogue": ENGLISH} | others))
    return AppContext(bundle)


def test_every_option_of_the_menu_is_a_choice_and_every_choice_an_option() -> None:
    options = [action_id.removeprefix("snooze.") for action_id, _label in (*SNOOZES, *END_SNOOZE)]
    assert [SnoozeChoice.parse(option) for option in options] == list(SnoozeChoice)


@pytest.mark.parametrize("text", ["", "7d", "1H", "1h ", "snooze.1h", "END"])
def test_other_text_is_no_choice(text: str) -> None:
    assert SnoozeChoice.parse(text) is None


@pytest.mark.parametrize(
    ("choice", "until"),
    [
        (SnoozeChoice.ONE_HOUR, datetime(2026, 3, 2, 13, 0, tzinfo=UTC)),
        (SnoozeChoice.OTHER, datetime(2026, 3, 3, 8, 0, tzinfo=UTC)),
        (SnoozeChoice.END, None),
    ],
)
async def test_a_choice_ends_at_a_moment_of_the_persons_own_clock(
    choice: SnoozeChoice, until: datetime | None
) -> None:
    app = app_with(clock=StoppedClock(), directory=DirectoryInBerlin())
    assert await snooze_end(app, choice, "U0ALICE") == until


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 3, 28, 20, 0, tzinfo=UTC), datetime(2026, 3, 29, 7, 0, tzinfo=UTC)),
        (datetime(2026, 10, 24, 20, 0, tzinfo=UTC), datetime(2026, 10, 25, 8, 0, tzinfo=UTC)),
    ],
    ids=["forward", "back"],
)
async def test_the_morning_after_the_clocks_were_changed_is_at_nine_as_any(
    now: datetime, until: datetime
) -> None:
    app = app_with(clock=StoppedClock(now), directory=DirectoryInBerlin())
    assert await snooze_end(app, SnoozeChoice.OTHER, "U0ALICE") == until


async def test_a_choice_of_another_version_is_refused_before_the_acknowledgement() -> None:
    acknowledged: list[object] = []

    async def ack() -> None:
        acknowledged.append(None)

    app = app_with(workspaces=Workspaces(cast("Any", {"main": None}), {"main": "w"}))
    nothing: Any = None
    recorder = Recorder(app, nothing, nothing, nothing)
    option = "snooze.7d|1:task:main:t1"
    press = Press(ALICE, "more", value="", option=option, trigger_id="1", in_modal=False)
    with pytest.raises(UserError) as caught:
        await buttons.press(cast("Any", ack), press, recorder)
    assert caught.value.message == denials.newer_button(ENGLISH)
    assert acknowledged == []


def test_whoever_may_do_none_of_several_is_told_of_all_who_may_do_any() -> None:
    nobody = Refused(RefusalReason.NO_RULE)
    approvers = Refused(RefusalReason.RULE, "rule 1", ("approver",))
    leads = Refused(RefusalReason.RULE, "rule 2", ("lead", "approver"))
    unread = Refused(RefusalReason.EVIDENCE_UNREAD, "rule 3")
    assert refusal_of_all([nobody, approvers, leads]).roles == ("approver", "lead")
    assert refusal_of_all([nobody, nobody]) == nobody
    assert refusal_of_all([approvers, unread]) == unread  # it may be theirs once that is read


@pytest.mark.parametrize(
    ("words", "moment", "scope"),
    [
        ("t1 2h", "2h", SnoozeScope.ALL),
        ("t1 until 9:00 for everyone", "until 9:00", SnoozeScope.ALL),
        ("t1 2026-03-03 08:00 for me", "2026-03-03 08:00", SnoozeScope.ME),
        ("t1 for 2h30m for me", "for 2h30m", SnoozeScope.ME),
    ],
)
def test_a_command_says_until_when_and_for_whom(
    words: str, moment: str, scope: SnoozeScope
) -> None:
    assert parse_snooze(Arguments(words)) == ChangeSnooze("t1", None, moment, scope)
    thread = Ref(kind="instance", id="r1")
    without_id = Arguments(words.removeprefix("t1 "), thread)
    assert parse_snooze(without_id) == ChangeSnooze("r1", thread, moment, scope)


@pytest.mark.parametrize("words", ["t1", "t1 for me", ""])
def test_a_snooze_without_a_length_is_refused(words: str) -> None:
    with pytest.raises(ParseError):
        parse_snooze(Arguments(words))
