"""A moment as people write it, read in their own zone."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.command_problems import problem_text
from handlers.parsing import ParseError
from handlers.time_parsing import parse_moment
from tests.support.examples import examples
from tests.support.samples import ENGLISH

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))
KIRITIMATI = timezone(timedelta(hours=14))
CHANGING = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")
zones = st.builds(
    lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-12 * 60, 14 * 60)
)
moments = st.datetimes(
    min_value=datetime(2000, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("until 18:00", datetime(2026, 3, 1, 17, 0, tzinfo=UTC)),
        ("till 18:00", datetime(2026, 3, 1, 17, 0, tzinfo=UTC)),
        ("18:00", datetime(2026, 3, 1, 17, 0, tzinfo=UTC)),
        ("18.00", datetime(2026, 3, 1, 17, 0, tzinfo=UTC)),
        ("UNTIL  18:00 ", datetime(2026, 3, 1, 17, 0, tzinfo=UTC)),
        ("until 9:05", datetime(2026, 3, 2, 8, 5, tzinfo=UTC)),
        ("until 13:30", datetime(2026, 3, 2, 12, 30, tzinfo=UTC)),
        ("until 13:31", datetime(2026, 3, 1, 12, 31, tzinfo=UTC)),
        ("until 00:00", datetime(2026, 3, 1, 23, 0, tzinfo=UTC)),
        ("until 2026-03-02 08:00", datetime(2026, 3, 2, 7, 0, tzinfo=UTC)),
        ("until 2026-03-02T08:00", datetime(2026, 3, 2, 7, 0, tzinfo=UTC)),
        ("for 2h", NOW + timedelta(hours=2)),
        ("for 90 m", NOW + timedelta(minutes=90)),
        ("2h", NOW + timedelta(hours=2)),
        ("for 45s", NOW + timedelta(seconds=45)),
        ("FOR 2D", NOW + timedelta(days=2)),
    ],
)
def test_what_people_write_is_read_in_their_own_zone(text: str, then: Any) -> None:
    assert parse_moment(text, NOW, BERLIN) == then


@pytest.mark.parametrize(
    "text",
    [
        *("", "until", "for", "soon", "until soon", "tomorrow", "18", "until 18", "6pm", "25:00"),
        *(
            "24:00",
            "18:60",
            "18:00:00",
            "until 18:00 tomorrow",
            "for 18:00",
            "for 2026-03-02 08:00",
        ),
        *("2026-02-30 08:00", "2026-03-02", "2026-03-02 8", "2026-13-01 08:00", "0000-01-01 10:00"),
        *("for 0h", "for -2h", "for 1.5h", "for 31d", "for 9999999d", "for ٢h", "٠٩:٠٠", "２h"),
        *("0001-01-01 00:00x", "9999-99-99 10:00"),
        *("h", "for h", "\0", "<!channel>", "9" * 5000),
    ],
)
def test_what_is_no_time_is_refused_and_says_how_one_is_written(text: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse_moment(text, NOW, BERLIN)
    assert refused.value.usage
    said = problem_text(ENGLISH, refused.value.problem)
    assert "is not a time or a duration (use 18:00, 30m, 1h)" in said
    assert len(said) < 160


@pytest.mark.parametrize(
    "text", ["2026-03-01 13:30", "until 2026-02-28 23:00", "2020-01-01 10:00", "0001-01-02 00:00"]
)
def test_a_day_that_is_over_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="is in the past"):
        parse_moment(text, NOW, BERLIN)


@pytest.mark.parametrize("text", ["0001-01-01 00:00", "until 9999-12-31 23:59"])
@pytest.mark.parametrize("zone", [KIRITIMATI, timezone(timedelta(hours=-12))])
def test_the_ends_of_the_calendar_are_refused_or_read(text: str, zone: timezone) -> None:
    try:
        assert parse_moment(text, NOW, zone) > NOW
    except ParseError as refused:
        assert refused.usage  # noqa: PT017 - either is right


def test_the_day_is_the_persons_and_not_that_of_utc() -> None:
    assert parse_moment("until 03:00", NOW, KIRITIMATI) == datetime(2026, 3, 1, 13, 0, tzinfo=UTC)


# The clocks of Berlin leap from 2:00 to 3:00 on 2026-03-29 (1:00 UTC), and go back from 3:00 to
# 2:00 on 2026-10-25 (1:00 UTC).
@pytest.mark.parametrize(
    ("now", "text", "then"),
    [
        ("2026-03-28 20:00", "until 8:00", "2026-03-29 06:00"),
        ("2026-03-28 20:00", "until 2026-03-29 8:00", "2026-03-29 06:00"),
        ("2026-03-28 20:00", "until 1:59", "2026-03-29 00:59"),
        ("2026-03-28 20:00", "until 2:00", "2026-03-29 01:00"),
        ("2026-03-28 20:00", "until 2:30", "2026-03-29 01:00"),
        ("2026-03-28 20:00", "until 3:00", "2026-03-29 01:00"),
        ("2026-03-29 02:00", "until 2:30", "2026-03-30 00:30"),
        ("2026-03-29 02:00", "until 3:00", "2026-03-30 01:00"),
        ("2026-10-24 20:00", "until 8:00", "2026-10-25 07:00"),
        ("2026-10-24 20:00", "until 2:30", "2026-10-25 00:30"),
        ("2026-10-24 20:00", "until 2026-10-25 2:30", "2026-10-25 00:30"),
        ("2026-10-25 00:40", "until 2:30", "2026-10-25 01:30"),
        ("2026-10-25 00:40", "until 2026-10-25 2:30", "2026-10-25 01:30"),
        ("2026-10-25 01:10", "until 2:30", "2026-10-25 01:30"),
        ("2026-10-25 01:30", "until 2:30", "2026-10-26 01:30"),
        ("2026-10-25 00:30", "until 3:00", "2026-10-25 02:00"),
        ("2026-10-25 00:30", "for 2h", "2026-10-25 02:30"),
    ],
)
def test_a_change_of_the_clocks_makes_nothing_last_longer(now: str, text: str, then: str) -> None:
    at, until = (datetime.fromisoformat(f"{moment}+00:00") for moment in (now, then))
    assert parse_moment(text, at, ZoneInfo("Europe/Berlin")) == until


@examples(200)
@given(moments, st.integers(0, 23), st.integers(0, 59), st.sampled_from(CHANGING))
def test_over_any_change_of_clocks_a_time_of_day_is_the_next_one(
    now: datetime, hour: int, minute: int, name: str
) -> None:
    zone = ZoneInfo(name)
    then = parse_moment(f"until {hour}:{minute:02}", now, zone)
    shown = [
        (at.hour, at.minute)
        for minutes in range(int((then - now).total_seconds() // 60))
        if (at := (now + timedelta(minutes=minutes + 1)).astimezone(zone))
        and now + timedelta(minutes=minutes + 1) < then
    ]
    assert (hour, minute) not in shown
    assert timedelta(0) < then - now < timedelta(days=2)


@examples(200)
@given(st.integers(0, 23), st.integers(0, 59), moments, zones)
def test_a_time_of_day_is_the_next_one_and_shows_so_on_their_clock(
    hour: int, minute: int, now: datetime, zone: timezone
) -> None:
    then = parse_moment(f"until {hour}:{minute:02}", now, zone)
    assert timedelta(0) < then - now <= timedelta(days=1)
    assert (then.astimezone(zone).hour, then.astimezone(zone).minute) == (hour, minute)


@examples(300)
@given(st.text(max_size=40) | st.from_regex(r"(until |for )?[0-9:. dhmsT-]{1,16}", fullmatch=True))
def test_anything_is_a_moment_to_come_or_refused(text: str) -> None:
    try:
        then = parse_moment(text, NOW, BERLIN)
    except ParseError:
        return
    assert then > NOW
