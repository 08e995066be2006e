"""A search finds what is written in any case and width, in all that people look at."""

import json
from datetime import timedelta

import pytest

from bot.operations.search import Search, UnknownFilter, is_search
from bot.secmaster import Evidence, Finding, Instance, Task, Unread
from tests.support.samples import FAILED, NOW, WAITING

TASK = WAITING.model_copy(
    update={
        "name": "Block IP 203.0.113.77 at the edge Firewall",
        "description": "Scanned ports of ＨＯＳＴ-7, STRASSE",
        "creator_name": "Eve Müller",
        "related_object": "封禁恶意IP",
        "view_parameters": json.dumps([{"name": "资产", "value": "主机 ecs-web-07"}]),
        "handle_parameters": "not json: Zürich",
    }
)


@pytest.mark.parametrize(
    "text",
    [
        "firewall",
        "FIREWALL block",
        '"edge firewall"',
        "“edge Firewall”",
        "「edge firewall」",
        "ｆｉｒｅｗａｌｌ",
        "host-7",
        "straße",
        "müller",
        "封禁",
        "ＩＰ",
        "资产 ecs-web",
        "主机",
        "zürich",
        "203.0.113.77",
        '"mine" '.replace("mine", "block"),
        "t-1",
    ],
)
def test_words_are_found_whatever_their_case_and_width(text: str) -> None:
    assert Search.parse(text).matches(TASK, NOW)


@pytest.mark.parametrize(
    "text", ["firewall internet", '"firewall edge"', "u8d44", "waiting", '"mine"', "t-2"]
)
def test_all_words_must_occur_and_phrases_as_they_are(text: str) -> None:
    assert not Search.parse(text).matches(TASK, NOW)


def test_a_run_is_found_by_its_workflow_its_node_and_its_error() -> None:
    for text in ("phishing response", "fetch", "BLOCK SENDER", "timed out", "i-1"):
        assert Search.parse(text).matches(FAILED, NOW) is (text != "fetch")
    english = Instance.model_validate(
        {"id": "i", "workflow": {"name": "遏制", "name_en": "Contain"}}
    )
    assert Search.parse("contain 遏制").matches(english, NOW)


def due(hours: int | None) -> Task:
    at = NOW + timedelta(hours=hours) if hours is not None else None
    return WAITING.model_copy(update={"due_date": at})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("overdue", [-1]),
        ("due:2h", [-1, 1]),
        ("due:1h59m", [-1, 1]),
        ("Due：2h", [-1, 1]),
        ("due:4h isolate", [-1, 1, 3]),
        ("isolate overdue due:1d", [-1]),
        ("mine", [-1, 1, 3, None]),
    ],
)
def test_filters_go_by_the_due_date(text: str, found: list[int | None]) -> None:
    search = Search.parse(text)
    assert [at for at in (-1, 1, 3, None) if search.matches(due(at), NOW)] == found


ALERT = Finding.model_validate(
    {
        "title": "Beacon to evil.example",
        "severity": "High",
        "resources": [{"id": "r-1", "name": "ecs-web-07"}],
        "connections": [{"src_ip": "192.0.2.1", "dest_domain": "Evil.example"}],
        "users": [{"user_name": "www-data"}],
    }
)
ALERTED = WAITING.model_copy(update={"evidence": Evidence(finding=ALERT)})


@pytest.mark.parametrize(
    "text", ["beacon", "ECS-WEB-07", "192.0.2.1", "evil.example isolate", "r-1", "www-data"]
)
def test_a_task_is_found_by_the_alert_behind_it(text: str) -> None:
    assert Search.parse(text).matches(ALERTED, NOW)
    assert not Search.parse(text).matches(WAITING, NOW)


@pytest.mark.parametrize(
    ("text", "found"),
    [("severity:fatal", False), ("Severity:HIGH", True), ("severity:low beacon", True)],
)
def test_a_severity_filters_what_is_known_to_be_at_least_so_severe(
    text: str, *, found: bool
) -> None:
    assert Search.parse(text).matches(ALERTED, NOW) is found
    assert Search.parse(text).has_filters
    assert not Search.parse(text).matches(WAITING, NOW)
    odd = ALERT.model_copy(update={"severity": "worse"})
    task = WAITING.model_copy(update={"evidence": Evidence(finding=odd)})
    assert not Search.parse(text).matches(task, NOW)


def test_what_is_left_out_unrated_is_what_nobody_has_read() -> None:
    search = Search.parse("severity:high isolate")
    unread = Evidence(unread=(Unread(subject="alert", status=503),))
    about_nothing, low = Evidence(), Evidence(finding=ALERT.model_copy(update={"severity": "Low"}))
    for evidence, unrated in ((None, True), (unread, True), (about_nothing, False), (low, False)):
        task = WAITING.model_copy(update={"evidence": evidence})
        assert search.leaves_out_unrated(task, NOW) is unrated
    assert not Search.parse("severity:high elsewhere").leaves_out_unrated(WAITING, NOW)


def test_filters_are_read_wherever_they_stand_unless_quoted() -> None:
    assert Search.parse("Block MINE due:30m") == Search(
        ("block",), mine=True, due_within=timedelta(minutes=30)
    )
    assert Search.parse('"mine" "due:soon" it\'s') == Search(("mine", "due:soon", "it's"))


@pytest.mark.parametrize(
    "word", ["due:soon", "due:", "due:0h", "severity:", "severity:9", "status:open", "Is：open"]
)
def test_what_looks_like_a_filter_is_not_searched_for(word: str) -> None:
    with pytest.raises(UnknownFilter) as caught:
        Search.parse(f"block {word}")
    assert caught.value.word == word
    assert not is_search(word)


@pytest.mark.parametrize("text", ["https://corp.example/x", "10:30", "fe80::1", "a:b", "note: x"])
def test_addresses_and_times_are_searched_for(text: str) -> None:
    assert is_search(text)
