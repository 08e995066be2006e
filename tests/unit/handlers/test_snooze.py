"""The choices of a card's snooze menu: what each means, and that an unknown one changes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from bot.domain.slack import Actor, Requester, SlackLocation
from bot.domain.workspaces import Workspaces
from bot.messages import denials
from bot.messages.cards import END_SNOOZE, SNOOZES
from bot.services import Services
from handlers import buttons
from handlers.context import AppContext, Recorder
from handlers.errors import UserError
from handlers.payloads import Press
from handlers.requests import SnoozeChoice
from handlers.watch import snooze_end
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
        *("background", "process_id"),
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
        (SnoozeChoice.UNTIL_MORNING, datetime(2026, 3, 3, 8, 0, tzinfo=UTC)),
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
    assert await snooze_end(app, SnoozeChoice.UNTIL_MORNING, "U0ALICE") == until


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
