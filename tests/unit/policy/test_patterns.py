"""What a name is taken for, whichever way it is written, and which patterns are taken."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.patterns import compile_pattern, lookalikes, matches, normalize
from tests.support.examples import examples

ISOLATE = "(?i).*isolate host"

# Written in another way, and the same to whoever reads it.
SAME = {
    "plain": "Please isolate host 7",
    "line break": "Please\nisolate\r\nhost 7",
    "line separator": "Please\u2028isolate\u0085host 7",
    "line break in front": "\n\nisolate host 7",
    "wide space": "isolate\u3000 \thost 7",
    "braille blank": "isolate\u2800host 7",
    "fullwidth": "Ｉｓｏｌａｔｅ ｈｏｓｔ 7",
    "mathematical": "𝐈𝐬𝐨𝐥𝐚𝐭𝐞 𝒽ℴ𝓈𝓉",
    "circled": "Ⓘⓢⓞⓛⓐⓣⓔ host",
    "squared": "🅸🆂🅾🅻🅰🆃🅴 host",
    "flags": "🇮🇸🇴🇱🇦🇹🇪 host",
    "small capitals": "ɪꜱᴏʟᴀᴛᴇ host",
    "marks": "I\u0301so\u0336late\u20dd host",
    "accents": "Ísölátè hóst",
    "strokes": "ısøłaŧɇ ħost",
    "twins": "ɩsolɑt℮ host",
    "invisible": "Iso\u00ad\u200b\u2060\ufe0flate\ufffc ho\u3164st\U0001d159",
    "joined": "Iso\u200dlate\u034f host",
    "nothing": "Iso\0late host",
}
# Written with letters of another alphabet: somebody may read it so, and somebody not.
UNCLEAR = {
    "two Cyrillic letters": "Isоlаte host",
    "Greek omicron": "Isοlate host",
    "all Cyrillic": "іѕоӏате һоѕт",
    "Cyrillic palochka": "Іѕоӏате host",
    "Cyrillic I for l": "іѕоІате host",
    "among other Cyrillic words": "Проверка: іѕоӏате host",
    "Lisu": "ꓲꓢꓳꓡꓮꓔꓰ host",
    "Armenian": "Iѕօlate host",
    "Cherokee": "Ꭵsolate host",
    "several": "ІѕоᏞаtе host",
    "mixed elsewhere": "Something еlse",
    "phonetic": "Ɩsoꞁatǝ host",
}
ORDINARY = [
    "Block 203.0.113.77",
    "Заблокировать учётную запись",
    "Обновление ОС на хосте web-01",
    "о сосне",
    "Αποκλεισμός διεύθυνσης IP",
    "Αναβάθμιση του web-01",
    "隔离主机ecs-web-07",
    "VPNクライアントを停止",
    "host를 격리",
    "บล็อกIPนี้",
    "עצור את web-01",
    "إيقاف المضيف web-01",
    "Հայերեն web-01",
    "µTorrent 500µs",
    "Crème brûlée, Ærø, straße",
    "IPv4/IPv6 (10.0.0.0/8)",
    "👩‍👩‍👧 🔥",
    "",
]


@pytest.mark.parametrize("name", SAME.values(), ids=list(SAME))
def test_a_name_matches_however_it_is_written(name: str) -> None:
    assert matches(ISOLATE, normalize(name)) is True


@pytest.mark.parametrize("name", UNCLEAR.values(), ids=list(UNCLEAR))
def test_of_letters_that_look_like_others_a_match_cannot_be_told(name: str) -> None:
    folded = normalize(name)
    assert matches(ISOLATE, folded) is None
    assert lookalikes(folded)
    assert not any(letter.isascii() for letter in lookalikes(folded))


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_of_any_language_are_told(name: str) -> None:
    folded = normalize(name)
    assert matches(ISOLATE, folded) is False
    if folded:
        assert matches(folded.replace("(", r"\(").replace(")", r"\)") + "$", folded) is True


@pytest.mark.parametrize(
    "name", ["straße", "æon", "ðe", "ɛn", "þorn", "ŋ", "中文", "привет", "γεια"]
)
def test_letters_of_their_own_are_no_others(name: str) -> None:
    assert normalize(name) == name


@examples(300)
@given(st.text())
def test_what_is_folded_stays_so_and_is_one_line_without_marks(text: str) -> None:
    folded = normalize(text)
    assert normalize(folded) == folded
    assert "  " not in folded
    assert folded == folded.strip()
    assert not any(unicodedata.category(c)[0] in "CM" or c in "\n\t" for c in folded)


# Patterns.


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("Ｉｓｏｌａｔｅ", "Isolate host"),
        ("I\u0301solaté\u3000host", "Isolate host"),
        ("（test）", "(test) host"),
        ("（test）", "（test） host"),
        ("［a＋b］＊$", "[a+b]*"),
        ("[（ab]+$", "a(b"),
        ("[é]{5}$", "eéèe\u0301ë"),
        ("ﬁ+x$", "fifix"),
        ("ﬁlter", "filter"),
        ("web-01’s", "web‐01's"),
        ("[–x]+$", "—x-"),
        ("隔离.*主机$", "隔离 主机"),
        ("ㅎㅏ", "하"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        (r"\w+ \d+$", "隔离主机 ٣7"),
        (r"[\w-]+$", "隔离-host"),
        (r"\W\D$", "!x"),
        (r"a\tb", "a\n b"),
        (r"a\sb", "a\n b"),
        (r"\p{Greek}+ \pL", "απο x"),
        (r"(?P<part>a|b)\.c", "b.c"),
        (r"[[:alpha:]é]+$", "abé"),
        (r"[]é]+$", "]e"),
        (r"\bhost\b", "host 7"),
        ("a{2}b{0,3}c{2,}", "aacc"),
    ],
)
def test_a_pattern_matches_what_it_looks_like(pattern: str, name: str) -> None:
    assert matches(pattern, normalize(name)) is True


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("（a）", "a"),
        ("a．c", "abc"),
        ("a＊", "aaa "),
        ("[＾a]$", "b"),
        ("[a－z]$", "m"),
        ("a｜b", "a"),
        ("ﬁ{2}x", "fiix"),
    ],
)
def test_a_folded_character_is_no_operator(pattern: str, name: str) -> None:
    assert matches(pattern, normalize(name)) is False


@examples(300)
@given(st.text(st.characters(min_codepoint=0x80), min_size=1))
def test_whatever_is_not_ascii_matches_itself_as_a_pattern(text: str) -> None:
    text = f"x{text}x"
    try:
        assert matches(" ".join(text.split()) + "$", normalize(text)) is not False
    except ValueError as error:
        assert "two spaces" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("(?=isolate)", "look-around"),
        ("(?!isolate)", "look-around"),
        ("(?<!x)isolate", "look-around"),
        ("(?>a)", "look-around"),
        (r"(a)\1", r"\1 is not supported"),
        (r"(?P<a>x)(?P=a)", "is not a pattern"),
        ("a++", "possessive"),
        ("a{1001}", "1000 times"),
        ("((a{100}){100}){100}", "1000 times"),
        ("a{,3}", "{0,3}"),
        (r"\x41", r"\x is not supported"),
        (r"\Qa\E", r"\Q is not supported"),
        (r"isolate\Z", r"\Z is not supported"),
        (r"[\W]", "brackets"),
        ("[ﬁ]", "brackets"),
        ("[à-ü]", "brackets"),
        (r".*\bхост", "ASCII words"),
        ("a  b", "two spaces"),
        ("a \u3000b", "two spaces"),
        ("\u00b4a", "in front"),
        ("\u0301\u200b", "nothing of it can be seen"),
        ("a\\", "trailing"),
        ("(", "missing )"),
    ],
)
def test_a_pattern_that_is_not_taken_says_what_to_write(pattern: str, hint: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern: ") as caught:
        compile_pattern(pattern)
    assert hint in str(caught.value)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*a){20}b", "(?i)(x+x+)+y"])
def test_no_pattern_takes_more_than_linear_time(pattern: str) -> None:
    # A backtracking engine would be at it for longer than the universe is old.
    assert matches(pattern, "a" * 20_000 + "!") is False
    assert matches(pattern, "x" * 20_000) is False
