"""The rules for texts, options and elements inside blocks, as a table of Slack's limits.

https://docs.slack.dev/reference/block-kit/block-elements
"""

from bot.sandbox.slack.rules import (
    Rule,
    also,
    anything,
    flag,
    listed,
    number,
    one_of,
    shape,
    text,
    typed,
    word,
)

ID = text(255)
URL = text(3000)


def plain(most: int, least: int = 1) -> Rule:
    """Text without markup."""
    return typed({"plain_text": text_object(most, least)})


def rich(most: int) -> Rule:
    """Text that may carry markup."""
    return typed({"plain_text": text_object(most), "mrkdwn": text_object(most)})


def text_object(most: int, least: int = 1) -> Rule:
    """A text object of either type."""
    needs = {"type": anything, "text": text(most, least)}
    return shape(needs, {"emoji": flag, "verbatim": flag})


def element(needs: dict[str, Rule] | None = None, may: dict[str, Rule] | None = None) -> Rule:
    """An interactive element with these fields."""
    common = {"action_id": ID, "confirm": CONFIRM, "focus_on_load": flag}
    return shape({"type": anything, **(needs or {})}, common | (may or {}))


CONFIRM = shape(
    {"title": plain(100), "text": rich(300), "confirm": plain(30), "deny": plain(30)},
    {"style": word("primary", "danger")},
)
OPTION = shape({"text": plain(75), "value": text(150)}, {"description": plain(75), "url": URL})
CHOICE = shape({"text": rich(75), "value": text(150)}, {"description": rich(75)})
GROUPS = listed(shape({"label": plain(75), "options": listed(OPTION, 100)}), 100)
HINT = {"placeholder": plain(150)}
SELECT = HINT | {"options": listed(OPTION, 100), "option_groups": GROUPS}
SEVERAL = {"max_selected_items": number(1, 100)}
TYPED = HINT | {
    "initial_value": text(3000, 0),
    "dispatch_action_config": anything,
}
LENGTHS = {"min_length": number(0, 3000), "max_length": number(1, 3000), "multiline": flag}
BOUNDS = {"min_value": text(50), "max_value": text(50)}
WHERE = {"filter": anything, "default_to_current_conversation": flag, "response_url_enabled": flag}
OPTIONS_OR_GROUPS = one_of("options", "option_groups")
STRINGS = listed(text(255), 100)

IMAGE_KEYS: dict[str, Rule] = {"image_url": URL, "slack_file": anything}
PICTURE = one_of("image_url", "slack_file")
IMAGE = also(shape({"type": anything, "alt_text": text(2000)}, IMAGE_KEYS), PICTURE)
BUTTON = element(
    {"text": plain(75)},
    {
        "value": text(2000),
        "url": URL,
        "style": word("primary", "danger"),
        "accessibility_label": text(75),
    },
)

CHOICES: dict[str, Rule] = {
    "static_select": also(element(may=SELECT | {"initial_option": OPTION}), OPTIONS_OR_GROUPS),
    "multi_static_select": also(
        element(may=SELECT | SEVERAL | {"initial_options": listed(OPTION, 100)}), OPTIONS_OR_GROUPS
    ),
    "external_select": element(
        may=HINT | {"initial_option": OPTION, "min_query_length": number(0, 1000)}
    ),
    "users_select": element(may=HINT | {"initial_user": text(255)}),
    "multi_users_select": element(may=HINT | SEVERAL | {"initial_users": STRINGS}),
    "channels_select": element(may=HINT | WHERE | {"initial_channel": text(255)}),
    "multi_channels_select": element(may=HINT | SEVERAL | {"initial_channels": STRINGS}),
    "conversations_select": element(may=HINT | WHERE | {"initial_conversation": text(255)}),
    "multi_conversations_select": element(
        may=HINT | WHERE | SEVERAL | {"initial_conversations": STRINGS}
    ),
    "datepicker": element(may=HINT | {"initial_date": text(10)}),
    "timepicker": element(may=HINT | {"initial_time": text(5), "timezone": text(255)}),
    "datetimepicker": element(may={"initial_date_time": number(10**9, 10**10 - 1)}),
    "radio_buttons": element({"options": listed(CHOICE, 10)}, {"initial_option": CHOICE}),
    "checkboxes": element({"options": listed(CHOICE, 10)}, {"initial_options": listed(CHOICE, 10)}),
}
PRESSED: dict[str, Rule] = {
    "button": BUTTON,
    "overflow": element({"options": listed(OPTION, 5)}),
}
INPUTS: dict[str, Rule] = CHOICES | {
    "plain_text_input": element(may=TYPED | LENGTHS),
    "email_text_input": element(may=TYPED),
    "url_text_input": element(may=TYPED),
    "number_input": element({"is_decimal_allowed": flag}, TYPED | BOUNDS),
    "file_input": element(may={"filetypes": STRINGS, "max_files": number(1, 10)}),
    "rich_text_input": element(may=HINT | {"initial_value": anything}),
}
