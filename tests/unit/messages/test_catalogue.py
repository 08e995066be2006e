"""Sentences in a reader's language, and the lengths of time and lists in them."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.messages.catalogue import N_, Catalogue, Sentence
from tests.support.samples import ENGLISH

CHINESE = r"""
msgid ""
msgstr ""
"Language: zh_CN\n"
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"

msgid "Approved by {actor}."
msgstr "{actor} 已通过。"

msgid "{count} task waits."
msgid_plural "{count} tasks wait."
msgstr[0] "{count} 个待办待处理。"

msgctxt "button"
msgid "Approve"
msgstr "通过"
"""


@pytest.fixture
def chinese(tmp_path: Path) -> Catalogue:
    path = tmp_path / "zh_CN.po"
    path.write_text(CHINESE, encoding="utf-8")
    return Catalogue.read(path)


def test_a_sentence_is_said_in_the_language_of_its_reader(chinese: Catalogue) -> None:
    assert ENGLISH.gettext("Approved by {actor}.", actor="<@U1>") == "Approved by <@U1>."
    assert chinese.gettext("Approved by {actor}.", actor="<@U1>") == "<@U1> 已通过。"
    assert chinese.gettext("Nobody translated this yet.") == "Nobody translated this yet."
    assert chinese.gettext("") == ""


def test_a_count_chooses_the_form_of_its_sentence(chinese: Catalogue) -> None:
    forms = "{count} task waits.", "{count} tasks wait."
    assert ENGLISH.ngettext(*forms, 1) == "1 task waits."
    assert ENGLISH.ngettext(*forms, 1200) == "1,200 tasks wait."
    assert chinese.ngettext(*forms, 1) == "1 个待办待处理。"


def test_a_word_that_means_several_things_has_a_context(chinese: Catalogue) -> None:
    assert chinese.pgettext("button", "Approve") == "通过"
    assert chinese.gettext("Approve") == "Approve"
    assert ENGLISH.pgettext("button", "Approve") == "Approve"


def test_a_sentence_may_be_chosen_before_its_reader_is_known(chinese: Catalogue) -> None:
    sentence = Sentence(N_("Approved by {actor}."), {"actor": "B{o}b"})
    assert ENGLISH.render(sentence) == "Approved by B{o}b."
    assert chinese.render(sentence) == "B{o}b 已通过。"


def test_a_file_that_names_no_language_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nameless.po"
    path.write_text('msgid "a"\nmsgstr "b"\n')
    with pytest.raises(ValueError, match="which language"):
        Catalogue.read(path)


def test_a_list_ends_as_its_language_ends_lists(chinese: Catalogue) -> None:
    assert ENGLISH.all_of(["A", "B", "C"]) == "A, B, and C"
    assert ENGLISH.one_of(["A", "B"]) == "A or B"
    assert chinese.all_of(["A", "B", "C"]) == "A、B和C"
    assert ENGLISH.all_of([]) == ""
    assert ENGLISH.all_of(["A", "B", "C"], 3) == "A, B, and C"
    assert ENGLISH.all_of(["A", "B", "C", "D"], 2) == "A, B, and 2 more"


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(0), "0 sec"),
        (timedelta(seconds=59), "59 sec"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 hr"),
        (timedelta(hours=1, minutes=5), "1 hr, 5 min"),
        (timedelta(hours=2, minutes=59), "2 hr, 59 min"),
        (timedelta(hours=3, minutes=59), "3 hr"),
        (timedelta(hours=23, minutes=59), "23 hr"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=2, hours=5), "2 days, 5 hr"),
        (timedelta(days=3, hours=5), "3 days"),
        (timedelta(days=400), "400 days"),
        (-timedelta(hours=1), "1 hr"),
    ],
)
def test_a_length_of_time_is_said_as_people_say_it(length: timedelta, expected: str) -> None:
    assert ENGLISH.duration(length) == expected


def test_a_length_of_time_is_said_in_the_language_of_its_reader(chinese: Catalogue) -> None:
    assert chinese.duration(timedelta(hours=2, minutes=5)) == "2小时5分钟"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.064, "64 ms"), (1.24, "1.2 sec"), (59.9, "59.9 sec"), (4000, "1 hr, 6 min")],
)
def test_how_long_something_took_is_said_in_a_fitting_unit(seconds: float, text: str) -> None:
    assert ENGLISH.measured(seconds) == text
