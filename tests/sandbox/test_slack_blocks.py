"""Slack's limits on blocks and views: each at its edge, and one step beyond."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.sandbox.slack.blocks import check_blocks, check_view, with_ids
from bot.sandbox.slack.element_state import elements
from bot.sandbox.slack.errors import SlackError


def plain(text: str = "t", **more: Any) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, **more}


def mrkdwn(text: str | int = "t") -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def section(**more: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(), **more}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain(), **more}


def option(text: str = "t", value: str = "v", **more: Any) -> dict[str, Any]:
    return {"text": plain(text), "value": value, **more}


def options(count: int, **more: Any) -> list[dict[str, Any]]:
    return [option(value=str(one), **more) for one in range(count)]


def select(**more: Any) -> dict[str, Any]:
    return {"type": "static_select", "options": options(1), **more}


def question(**more: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", **more.pop("element", {})}
    return {"type": "input", "label": plain(), "element": element, **more}


def confirm(**more: Any) -> dict[str, Any]:
    words = {"title": plain(), "text": mrkdwn(), "confirm": plain(), "deny": plain()}
    return button(confirm=words | more)


def table(rows: int, cells: int) -> dict[str, Any]:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "t"}] * cells] * rows}


def data_table(rows: int, cells: int, **more: Any) -> dict[str, Any]:
    return table(rows, cells) | {"type": "data_table", "caption": "t", **more}


def container(*children: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "container", "title": plain(), "child_blocks": list(children), **more}


def rich_text(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    section = {"type": "rich_text_section", "elements": list(elements), **more}
    return {"type": "rich_text", "elements": [section]}


def modal(**more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain(), "blocks": [], **more}


def complaints(check: Callable[..., object], *given: Any) -> tuple[str, list[str]]:
    with pytest.raises(SlackError) as refused:
        check(*given)
    return refused.value.code, refused.value.extra["response_metadata"]["messages"]


NUMBER = {"type": "raw_number", "value": 1.5, "text": "1"}

# A block at the edge of its limit, the same beyond it, and where the complaint points.
EDGES = {
    "section text": (
        section(text=mrkdwn("x" * 3000)),
        section(text=mrkdwn("x" * 3001)),
        "/blocks/0/text/text",
    ),
    "field text": (
        section(fields=[mrkdwn("x" * 2000)]),
        section(fields=[mrkdwn("x" * 2001)]),
        "/blocks/0/fields/0/text",
    ),
    "fields": (
        section(fields=[mrkdwn()] * 10),
        section(fields=[mrkdwn()] * 11),
        "/blocks/0/fields",
    ),
    "header": (
        {"type": "header", "text": plain("x" * 150)},
        {"type": "header", "text": plain("x" * 151)},
        "/blocks/0/text/text",
    ),
    "context": (
        {"type": "context", "elements": [mrkdwn()] * 10},
        {"type": "context", "elements": [mrkdwn()] * 11},
        "/blocks/0/elements",
    ),
    "actions": (actions(*[button()] * 25), actions(*[button()] * 26), "/blocks/0/elements"),
    "button text": (
        actions(button(text=plain("x" * 75))),
        actions(button(text=plain("x" * 76))),
        "/blocks/0/elements/0/text/text",
    ),
    "button value": (
        actions(button(value="x" * 2000)),
        actions(button(value="x" * 2001)),
        "/blocks/0/elements/0/value",
    ),
    "action_id": (
        actions(button(action_id="x" * 255)),
        actions(button(action_id="x" * 256)),
        "/blocks/0/elements/0/action_id",
    ),
    "block_id": (section(block_id="x" * 255), section(block_id="x" * 256), "/blocks/0/block_id"),
    "option text": (
        actions(select(options=[option("x" * 75)])),
        actions(select(options=[option("x" * 76)])),
        "/blocks/0/elements/0/options/0/text/text",
    ),
    "option value": (
        actions(select(options=[option(value="x" * 150)])),
        actions(select(options=[option(value="x" * 151)])),
        "/blocks/0/elements/0/options/0/value",
    ),
    "options": (
        actions(select(options=options(100))),
        actions(select(options=options(101))),
        "/blocks/0/elements/0/options",
    ),
    "overflow": (
        section(accessory={"type": "overflow", "options": options(5)}),
        section(accessory={"type": "overflow", "options": options(6)}),
        "/blocks/0/accessory/options",
    ),
    "radio buttons": (
        section(accessory={"type": "radio_buttons", "options": options(10)}),
        section(accessory={"type": "radio_buttons", "options": options(11)}),
        "/blocks/0/accessory/options",
    ),
    "confirm title": (
        actions(confirm(title=plain("x" * 100))),
        actions(confirm(title=plain("x" * 101))),
        "/blocks/0/elements/0/confirm/title/text",
    ),
    "confirm text": (
        actions(confirm(text=mrkdwn("x" * 300))),
        actions(confirm(text=mrkdwn("x" * 301))),
        "/blocks/0/elements/0/confirm/text/text",
    ),
    "confirm button": (
        actions(confirm(deny=plain("x" * 30))),
        actions(confirm(deny=plain("x" * 31))),
        "/blocks/0/elements/0/confirm/deny/text",
    ),
    "placeholder": (
        actions(select(placeholder=plain("x" * 150))),
        actions(select(placeholder=plain("x" * 151))),
        "/blocks/0/elements/0/placeholder/text",
    ),
    "input label": (
        question(label=plain("x" * 2000)),
        question(label=plain("x" * 2001)),
        "/blocks/0/label/text",
    ),
    "input hint": (
        question(hint=plain("x" * 2000)),
        question(hint=plain("x" * 2001)),
        "/blocks/0/hint/text",
    ),
    "input length": (
        question(element={"max_length": 3000}),
        question(element={"max_length": 3001}),
        "/blocks/0/element/max_length",
    ),
    "table rows": (table(100, 1), table(101, 1), "/blocks/0/rows"),
    "table cells": (table(1, 20), table(1, 21), "/blocks/0/rows/0"),
    "table characters": (
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x" * 2500}] * 4]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "x" * 2500}] * 4 + [NUMBER]]},
        "/blocks",
    ),
    "data table rows": (data_table(101, 1), data_table(102, 1), "/blocks/0/rows"),
    "data table without a row": (data_table(2, 1), data_table(1, 1), "/blocks/0/rows"),
    "data table page": (
        data_table(2, 1, page_size=100),
        data_table(2, 1, page_size=101),
        "/blocks/0/page_size",
    ),
    "container title": (
        container(section(), title=plain("x" * 150)),
        container(section(), title=plain("x" * 151)),
        "/blocks/0/title/text",
    ),
    "container children": (
        container(*[section()] * 10),
        container(*[section()] * 11),
        "/blocks/0/child_blocks",
    ),
    "markdown": (
        {"type": "markdown", "text": "x" * 12_000},
        {"type": "markdown", "text": "x" * 12_001},
        "/blocks/0/text",
    ),
}


@pytest.mark.parametrize(("within", "beyond", "pointer"), EDGES.values(), ids=EDGES)
def test_a_limit_is_kept_to_the_character(
    within: dict[str, Any], beyond: dict[str, Any], pointer: str
) -> None:
    check_blocks([within])
    code, messages = complaints(check_blocks, [beyond])
    assert code == "invalid_blocks"
    assert messages[0].startswith("[ERROR] ")
    assert messages[0].endswith(f"[json-pointer:{pointer}]")


WRONG = {
    "unknown block": ({"type": "nonsense"}, "unsupported type: nonsense", "/blocks/0/type"),
    "no type": ({}, "missing required field: type", "/blocks/0"),
    "no object": ("text", "missing required field: type", "/blocks/0"),
    "unknown element": (
        actions({"type": "slider"}),
        "unsupported type: slider",
        "/blocks/0/elements/0/type",
    ),
    "input element in actions": (
        actions({"type": "plain_text_input"}),
        "unsupported type: plain_text_input",
        "/blocks/0/elements/0/type",
    ),
    "unexpected key": (section(colour="red"), "invalid additional property: colour", "/blocks/0"),
    "unexpected key of a text": (
        section(text={**mrkdwn(), "emoji_": True}),
        "invalid additional property: emoji_",
        "/blocks/0/text",
    ),
    "empty text": (
        section(text=mrkdwn("")),
        "must be more than 0 characters",
        "/blocks/0/text/text",
    ),
    "blank button": (
        actions(button(text=plain(" "))),
        "must be more than 0 characters",
        "/blocks/0/elements/0/text/text",
    ),
    "empty actions": (actions(), "no fewer than 1 items allowed", "/blocks/0/elements"),
    "empty section": ({"type": "section"}, "must have either text or fields", "/blocks/0"),
    "markup in a header": (
        {"type": "header", "text": mrkdwn()},
        "unsupported type: mrkdwn",
        "/blocks/0/text/type",
    ),
    "markup in a button": (
        actions(button(text=mrkdwn())),
        "unsupported type: mrkdwn",
        "/blocks/0/elements/0/text/type",
    ),
    "text that is a number": (
        section(text=mrkdwn(1)),
        "must provide a string",
        "/blocks/0/text/text",
    ),
    "flag that is a word": (
        question(optional="yes"),
        "must provide a boolean",
        "/blocks/0/optional",
    ),
    "number that is a word": (
        question(element={"max_length": "9"}),
        "must provide an integer",
        "/blocks/0/element/max_length",
    ),
    "style": (
        actions(button(style="loud")),
        "must be one of: primary, danger",
        "/blocks/0/elements/0/style",
    ),
    "list that is none": (
        {"type": "context", "elements": {}},
        "must provide an array",
        "/blocks/0/elements",
    ),
    "select without options": (
        actions({"type": "static_select"}),
        "must have either options or option_groups",
        "/blocks/0/elements/0",
    ),
    "confirmation of a text input": (
        question(element={"confirm": confirm()["confirm"]}),
        "invalid additional property: confirm",
        "/blocks/0/element",
    ),
    "address of a select's option": (
        actions(select(options=[option(url="https://a.example")])),
        "invalid additional property: url",
        "/blocks/0/elements/0/options/0",
    ),
    "unknown dispatch": (
        question(element={"dispatch_action_config": {"trigger_actions_on": ["on_blur"]}}),
        "must be one of: on_enter_pressed, on_character_entered",
        "/blocks/0/element/dispatch_action_config/trigger_actions_on/0",
    ),
    "unknown part of rich text": (
        rich_text({"type": "button"}),
        "unsupported type: button",
        "/blocks/0/elements/0/elements/0/type",
    ),
    "unknown look of rich text": (
        rich_text({"type": "text", "text": "t", "style": {"blink": True}}),
        "invalid additional property: blink",
        "/blocks/0/elements/0/elements/0/style",
    ),
    "list's field of a rich section": (
        rich_text(indent=1),
        "invalid additional property: indent",
        "/blocks/0/elements/0",
    ),
    "rich text in a header of a data table": (
        data_table(2, 1) | {"rows": [[rich_text()], [NUMBER]]},
        "unsupported type: rich_text",
        "/blocks/0/rows/0/0/type",
    ),
    "rows of a data table that differ": (
        data_table(2, 1) | {"rows": [[NUMBER], [NUMBER] * 2]},
        "must have 1 items",
        "/blocks/0/rows/1",
    ),
    "data table without a caption": (
        {"type": "data_table", "rows": [[NUMBER]] * 2},
        "missing required field: caption",
        "/blocks/0",
    ),
    "input in a container": (
        container(question()),
        "unsupported type: input",
        "/blocks/0/child_blocks/0/type",
    ),
    "container in a container": (
        container(container(section())),
        "unsupported type: container",
        "/blocks/0/child_blocks/0/type",
    ),
    "container without a title": (
        {"type": "container", "child_blocks": [section()]},
        "must have either title or rich_text_title",
        "/blocks/0",
    ),
    "container that folds and has a divider": (
        container(section(), is_collapsible=True, has_header_divider=True),
        "must not be collapsible",
        "/blocks/0/has_header_divider",
    ),
    "same action twice": (
        actions(button(action_id="a"), button(action_id="a")),
        "`action_id` `a` already exists",
        "/blocks/0/elements/1/action_id",
    ),
}


@pytest.mark.parametrize(("block", "words", "pointer"), WRONG.values(), ids=WRONG)
def test_what_is_not_a_block_is_refused_in_slacks_words(
    block: dict[str, Any] | str, words: str, pointer: str
) -> None:
    _, messages = complaints(check_blocks, [block])
    assert messages == [f"[ERROR] {words} [json-pointer:{pointer}]"]


def test_a_message_takes_fifty_blocks_with_ids_of_their_own() -> None:
    check_blocks([section()] * 50)
    _, messages = complaints(check_blocks, [section()] * 51)
    assert messages == ["[ERROR] no more than 50 items allowed [json-pointer:/blocks]"]
    _, messages = complaints(check_blocks, [section(block_id="b"), section(block_id="b")])
    assert messages == ["[ERROR] `block_id` `b` already exists [json-pointer:/blocks/1/block_id]"]


def test_the_same_action_may_stand_in_two_blocks() -> None:
    check_blocks([actions(button(action_id="a")), actions(button(action_id="a"))])


def test_a_message_takes_one_table() -> None:
    for other in (table(1, 1), container(table(1, 1))):
        _, messages = complaints(check_blocks, [table(1, 1), other])
        assert messages == [
            "[ERROR] only one table is allowed in a message [json-pointer:/blocks/1]"
        ]


def test_every_element_a_form_may_hold_is_accepted() -> None:
    kinds = [
        {"type": "plain_text_input", "multiline": True, "initial_value": "t"},
        {"type": "email_text_input"},
        {"type": "url_text_input"},
        {"type": "number_input", "is_decimal_allowed": False, "min_value": "1"},
        {"type": "static_select", "options": options(2), "initial_option": option(value="0")},
        {
            "type": "multi_static_select",
            "option_groups": [{"label": plain(), "options": options(2)}],
            "max_selected_items": 1,
        },
        {"type": "users_select", "initial_user": "U0BOB"},
        {"type": "multi_users_select"},
        {"type": "conversations_select", "default_to_current_conversation": True},
        {"type": "channels_select"},
        {"type": "datepicker", "initial_date": "2026-01-31"},
        {"type": "timepicker", "initial_time": "12:30"},
        {"type": "datetimepicker", "initial_date_time": 1_700_000_000},
        {"type": "checkboxes", "options": [{"text": mrkdwn(), "value": "v"}]},
        {"type": "radio_buttons", "options": options(2)},
    ]
    fields = [{"type": "input", "label": plain(), "element": kind} for kind in kinds]
    check_view(modal(blocks=fields, submit=plain()), "modal")


def test_rich_text_and_pictures_are_accepted() -> None:
    rich = {"type": "rich_text_section", "elements": [{"type": "text", "text": "t"}]}
    picture = {"type": "image", "image_url": "https://a.example/b.png", "alt_text": "t"}
    check_blocks(
        [
            {"type": "rich_text", "elements": [rich]},
            picture,
            {"type": "divider"},
            section(accessory=picture),
            {"type": "context", "elements": [picture, mrkdwn()]},
        ]
    )


@pytest.mark.parametrize("part", ["title", "submit", "close"])
def test_the_words_of_a_modal_are_short(part: str) -> None:
    check_view(modal(**{part: plain("x" * 24)}), "modal")
    code, messages = complaints(check_view, modal(**{part: plain("x" * 25)}), "modal")
    assert code == "invalid_arguments"
    assert messages == [f"[ERROR] must be less than 25 characters [json-pointer:/view/{part}/text]"]


@pytest.mark.parametrize(
    ("part", "most"), [("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)]
)
def test_what_a_view_carries_along_is_limited(part: str, most: int) -> None:
    check_view(modal(**{part: "x" * most}), "modal")
    _, messages = complaints(check_view, modal(**{part: "x" * (most + 1)}), "modal")
    assert messages == [
        f"[ERROR] must be less than {most + 1} characters [json-pointer:/view/{part}]"
    ]


@pytest.mark.parametrize(
    ("view", "complaint"),
    [
        (
            modal(blocks=[section()] * 101),
            "no more than 100 items allowed [json-pointer:/view/blocks]",
        ),
        (modal(blocks=[question()]), "missing required field: submit [json-pointer:/view]"),
        (modal(colour="red"), "invalid additional property: colour [json-pointer:/view]"),
        (
            modal(blocks=[table(1, 1)]),
            "unsupported type: table [json-pointer:/view/blocks/0/type]",
        ),
        ({"type": "modal", "blocks": []}, "missing required field: title [json-pointer:/view]"),
        ({"type": "home", "blocks": []}, "unsupported type: home [json-pointer:/view/type]"),
        ("text", "missing required field: type [json-pointer:/view]"),
    ],
)
def test_what_is_not_a_modal_is_refused(view: dict[str, Any] | str, complaint: str) -> None:
    assert complaints(check_view, view, "modal") == (
        "invalid_arguments",
        [f"[ERROR] {complaint}"],
    )


def test_a_home_has_blocks_and_no_title() -> None:
    check_view({"type": "home", "blocks": [section()] * 100}, "home")
    _, messages = complaints(check_view, {"type": "home", "blocks": [], "title": plain()}, "home")
    assert messages == ["[ERROR] invalid additional property: title [json-pointer:/view]"]


def test_a_view_is_not_larger_than_slack_takes() -> None:
    heavy = modal(blocks=[section(text=mrkdwn("x" * 3000))] * 90)
    with pytest.raises(SlackError, match="view_too_large"):
        check_view(heavy, "modal")


def test_an_alert_stands_in_modals_only() -> None:
    alert = {"type": "alert", "text": mrkdwn("x" * 200), "level": "warning"}
    check_view(modal(blocks=[alert]), "modal")
    unsupported = "[ERROR] unsupported type: alert [json-pointer:{}/blocks/0/type]"
    _, messages = complaints(check_view, {"type": "home", "blocks": [alert]}, "home")
    assert messages == [unsupported.format("/view")]
    assert complaints(check_blocks, [alert]) == ("invalid_blocks", [unsupported.format("")])
    _, messages = complaints(
        check_view, modal(blocks=[alert | {"text": mrkdwn("x" * 201), "level": "loud"}]), "modal"
    )
    levels = "default, info, warning, error, success"
    assert messages == [
        "[ERROR] must be less than 201 characters [json-pointer:/view/blocks/0/text/text]",
        f"[ERROR] must be one of: {levels} [json-pointer:/view/blocks/0/level]",
    ]


def test_a_message_takes_so_much_markdown_in_all() -> None:
    half = {"type": "markdown", "text": "x" * 6000}
    check_blocks([half, half])
    _, messages = complaints(check_blocks, [half, half, {"type": "markdown", "text": "x"}])
    assert messages == [
        "[ERROR] no more than 12000 characters of markdown allowed [json-pointer:/blocks]"
    ]


def test_a_picture_has_one_source() -> None:
    picture = {"type": "image", "alt_text": "t"}
    url, file = {"image_url": "https://example.com/x.png"}, {"slack_file": {"id": "F0"}}
    check_blocks([picture | url, picture | file])
    wrong = "[ERROR] must have either image_url or slack_file [json-pointer:/blocks/0]"
    for source in ({}, url | file):
        assert complaints(check_blocks, [picture | source]) == ("invalid_blocks", [wrong])


def test_a_column_is_aligned_or_left_as_it_is() -> None:
    settings = [None, {"align": "right", "is_wrapped": True}]
    check_blocks([table(1, 2) | {"column_settings": settings}])
    _, messages = complaints(check_blocks, [table(1, 1) | {"column_settings": [{"align": "top"}]}])
    where = "/blocks/0/column_settings/0/align"
    assert messages == [f"[ERROR] must be one of: left, center, right [json-pointer:{where}]"]


@pytest.mark.parametrize("block", [data_table(2, 1), container(section()), table(1, 1)])
def test_what_is_documented_for_messages_alone_is_in_no_view(block: dict[str, Any]) -> None:
    check_blocks([block])
    unsupported = f"[ERROR] unsupported type: {block['type']} [json-pointer:/view/blocks/0/type]"
    for view in (modal(blocks=[block]), {"type": "home", "blocks": [block]}):
        assert complaints(check_view, view, view["type"])[1] == [unsupported]


def test_a_button_in_a_container_is_found_and_named() -> None:
    made = iter("123456789")
    named = with_ids([container(actions(button()))], lambda prefix: prefix + next(made))
    [child] = named[0]["child_blocks"]
    [(block, element)] = elements(named)
    assert (block, element) == (child, child["elements"][0])
    assert element["action_id"].startswith("a")


def test_every_part_of_rich_text_is_accepted() -> None:
    parts = [
        {"type": "text", "text": "t", "style": {"bold": True, "code": False}},
        {"type": "link", "url": "https://a.example", "text": "t"},
        {"type": "user", "user_id": "U0BOB"},
        {"type": "usergroup", "usergroup_id": "S0SOC"},
        {"type": "channel", "channel_id": "C0SOC"},
        {"type": "broadcast", "range": "here"},
        {"type": "emoji", "name": "wave"},
        {"type": "date", "timestamp": 1_700_000_000, "format": "{date}", "fallback": "t"},
    ]
    line = {"type": "rich_text_section", "elements": parts}
    items = {"type": "rich_text_list", "style": "ordered", "elements": [line], "indent": 1}
    code = {"type": "rich_text_preformatted", "elements": parts[:2], "border": 0}
    quote = {"type": "rich_text_quote", "elements": parts}
    check_blocks([{"type": "rich_text", "elements": [line, items, code, quote]}])


def test_ids_are_made_up_only_where_they_are_missing() -> None:
    made = iter("123456789")
    blocks = [
        section(accessory=button(action_id="mine")),
        {**actions(button()), "block_id": "mine"},
        question(),
    ]
    named = with_ids(blocks, lambda prefix: prefix + next(made))
    assert [one["block_id"] for one in named] == ["b1", "mine", "b3"]
    assert named[0]["accessory"]["action_id"] == "mine"
    assert named[1]["elements"][0]["action_id"] == "a2"
    assert named[2]["element"]["action_id"] == "a4"
    assert "block_id" not in blocks[0]
