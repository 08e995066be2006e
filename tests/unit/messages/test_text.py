"""Text of SecMaster and of people is escaped, clipped with a mark, and never markup."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.objects import visible
from bot.messages.text import (
    ELLIPSIS,
    ago_token,
    bold,
    clip,
    clip_markup,
    code,
    code_block,
    date_token,
    escape,
    inline,
    mention_user,
    quote,
    rule_number,
)
from tests.support.examples import examples

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENTITY = re.compile(r"&(?:amp|lt|gt);")
TEXT = st.text(st.sampled_from("&<>` \n\tab\0中🙂*_~|!@#")) | st.text()
LIMIT = st.integers(1, 60)


def unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def assert_no_markup(text: str) -> None:
    assert not set("<>") & set(text)
    assert "&" not in ENTITY.sub("", text)


# Clipping and escaping.


@given(TEXT, LIMIT)
def test_what_is_clipped_fits_and_is_marked(text: str, limit: int) -> None:
    shortened = clip(text, limit)
    whole = visible(text)
    assert len(shortened) <= limit
    assert shortened == whole if len(whole) <= limit else shortened.endswith(ELLIPSIS)


@given(st.lists(st.sampled_from([mention_user("U0ALICE"), "&lt;", "&amp;", " and "])), LIMIT)
def test_what_has_markup_fits_and_is_never_cut_within_a_mention_or_an_entity(
    parts: list[str], limit: int
) -> None:
    text = "".join(parts)
    shortened = clip_markup(text, limit)
    assert len(shortened) <= limit
    assert shortened == text if len(text) <= limit else shortened.endswith(ELLIPSIS)
    assert text.startswith(shortened.removesuffix(ELLIPSIS))
    assert_no_markup(shortened.replace(mention_user("U0ALICE"), ""))


@examples(300)
@example("&" * 61, 60)
@example("<!channel>", 4)
@example("a&", 2)
@given(TEXT, LIMIT)
def test_what_is_escaped_fits_and_is_never_cut_within_an_entity(text: str, limit: int) -> None:
    escaped = escape(text, limit)
    assert len(escaped) <= limit
    assert_no_markup(escaped)
    whole = visible(text)
    if not escaped.endswith(ELLIPSIS):
        assert unescaped(escaped) == whole
    else:
        assert unescaped(escaped)[:-1] == whole or whole.startswith(unescaped(escaped)[:-1])


@given(TEXT)
def test_what_fits_is_shown_whole(text: str) -> None:
    assert unescaped(escape(text, 10_000)) == visible(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Isolate host\n", "Isolate host"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\u202eevil\u202c", "evil"),
        ("\ufeffa\u200bb\u2060c\u00add", "abcd"),
        ("a\0b\x1bc\x7fd", "abcd"),
        ("封禁恶意IP é e\u0301 🙂 👩‍💻 🇨🇳", "封禁恶意IP é e\u0301 🙂 👩‍💻 🇨🇳"),
        ("* _ ` & < >", "* _ ` & < >"),
    ],
)
def test_what_no_eye_sees_is_left_out_and_nothing_else(text: str, expected: str) -> None:
    assert visible(text) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("<!channel>", 300, "&lt;!channel&gt;"),
        ("<https://evil.example|click>", 300, "&lt;https://evil.example|click&gt;"),
        ("&lt;", 300, "&amp;lt;"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("ab&cd", 9, "ab&amp;cd"),
        ("ab&cd", 8, "ab&amp;…"),
        ("ab&cd", 7, "ab…"),
        ("ab   cdef", 6, "ab…"),
        ("", 6, ""),
    ],
)
def test_escaping_by_example(text: str, limit: int, expected: str) -> None:
    assert escape(text, limit) == expected


@given(TEXT, LIMIT)
def test_a_line_is_one_line_without_code_marks(text: str, limit: int) -> None:
    escaped = inline(text, limit)
    assert len(escaped) <= limit
    assert "`" not in escaped
    assert len(escaped.splitlines()) <= 1
    assert_no_markup(escaped)


@given(TEXT, LIMIT)
def test_a_literal_cannot_leave_its_code_marks(text: str, limit: int) -> None:
    literal = code(text, limit)
    assert literal == "—" or re.fullmatch(r"`[^`\n]*`", literal)
    assert_no_markup(literal)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Block *now* <!here>", "*Block ∗now∗ &lt;!here&gt;*"),
        ("*", "*∗*"),
        ("", "—"),
        ("\u202e \n", "—"),
    ],
)
def test_a_name_in_bold_can_not_end_the_bold_and_an_empty_one_is_a_dash(
    name: str, expected: str
) -> None:
    assert bold(name) == expected


def test_a_literal_of_nothing_is_a_dash() -> None:
    assert code("") == code("  ") == code("\n") == code("\0") == "—"


@given(TEXT, st.integers(1, 900))
def test_a_passage_cannot_close_its_code_block(text: str, limit: int) -> None:
    block = code_block(text, limit)
    assert len(block) <= limit + 6
    assert block.startswith("```")
    assert block.endswith("```")
    assert "`" not in block[3:-3]
    assert_no_markup(block)


@given(TEXT, st.integers(1, 900))
def test_every_line_of_a_quote_is_marked_as_somebodys(text: str, limit: int) -> None:
    lines = quote(text, limit).split("\n")
    assert all(line.startswith("> ") for line in lines)
    for line in lines:
        assert_no_markup(line[2:])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"])
def test_a_quote_does_not_end_before_its_text_does(end: str) -> None:
    assert quote(f"one{end}two") == "> one\n> two"


@given(st.text())
def test_a_person_is_always_one_mention(user: str) -> None:
    assert re.fullmatch(r"<@[^<>`]*>", mention_user(user))


# Times.


def test_a_time_is_shown_in_the_readers_own_zone() -> None:
    assert date_token(NOW).startswith(
        "<!date^1772366400^{date_short_pretty} {time}|2026-03-01 12:00"
    )


def test_where_slack_cannot_say_a_time_is_in_utc() -> None:
    china = datetime(2026, 3, 1, 20, tzinfo=timezone(timedelta(hours=8)))
    assert "|2026-03-01 12:00 UTC>" in date_token(china)


def test_no_time_is_a_dash() -> None:
    assert date_token(None) == "—"


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EVER = st.datetimes(timezones=st.just(UTC) | ZONES)
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


@example(datetime(1, 1, 1, tzinfo=EAST))
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime.max.replace(tzinfo=WEST))
@given(EVER)
def test_any_time_that_secmaster_may_give_can_be_shown(at: datetime) -> None:
    assert re.fullmatch(r"<!date\^-?\d+\^[^|<>^]+\|[^<>|]+>", date_token(at))
    assert ago_token(at).startswith("<!date^")
    assert "^{ago}|" in ago_token(at)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("rule 4", "4"),
        ("rule 12 (isolation)", "12 “isolation”"),
        ("rule 1 (<!here>)", "1 “<!here>”"),
    ],
)
def test_a_rule_is_named_by_its_number_and_its_name(title: str, expected: str) -> None:
    assert rule_number(title) == expected
