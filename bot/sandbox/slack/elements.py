"""The rules for texts, options and elements inside blocks, as a table of Slack's limits.

https://docs.slack.dev/reference/block-kit/block-elements
"""

from bot.sandbox.slack.rich_text import RICH_TEXT
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
    return shape({"type": anything, **(needs or {})}, {"action_id": ID, **(may or {})})


CONFIRM = shape(
    {"title": plain(100), "text": rich(300), "confirm": plain(30), "deny": plain(30)},
    {"style": word("primary", "danger")},
)
OPTION_KEYS = {"text": plain(75), "value": text(150)}
OPTION = shape(OPTION_KEYS, {"description": plain(75)})
MENU_ITEM = shape(OPTION_KEYS, {"description": plain(75), "url": URL})
CHOICE = shape({"text": rich(75), "value": text(150)}, {"description": rich(75)})
GROUPS = listed(shape({"label": plain(75), "options": listed(OPTION, 100)}), 100)
HINT = {"placeholder": plain(150)}
CONFIRMED: dict[str, Rule] = {"confirm": CONFIRM}
FOCUSED: dict[str, Rule] = {"focus_on_load": flag}
PICKED = CONFIRMED | FOCUSED
PICKED_BY_HINT = PICKED | HINT
SELECT = PICKED_BY_HINT | {"options": listed(OPTION, 100), "option_groups": GROUPS}
SEVERAL = {"max_selected_items": number(1, 100)}
DISPATCH = shape(
    {}, {"trigger_actions_on": listed(word("on_enter_pressed", "on_character_entered"), 2)}
)
ENTERED = HINT | FOCUSED | {"dispatch_action_config": DISPATCH}
TYPED = ENTERED | {"initial_value": text(3000, 0)}
LENGTHS = {"min_length": number(0, 3000), "max_length": number(1, 3000), "multiline": flag}
BOUNDS = {"min_value": text(50), "max_value": text(50)}
FILTER = shape(
    {},
    {
        "include": listed(word("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": flag,
        "exclude_bot_users": flag,
    },
)
WHERE = {"filter": FILTER, "default_to_current_conversation": flag}
ANSWERED: dict[str, Rule] = {"response_url_enabled": flag}
OPTIONS_OR_GROUPS = one_of("options", "option_groups")
STRINGS = listed(text(255), 100)

SLACK_FILE = also(shape({}, {"id": ID, "url": URL}), one_of("id", "url"))
IMAGE_KEYS: dict[str, Rule] = {"image_url": URL, "slack_file": SLACK_FILE}
PICTURE = one_of("image_url", "slack_file")
IMAGE = also(shape({"type": anything, "alt_text": text(2000)}, IMAGE_KEYS), PICTURE)
BUTTON = element(
    {"text": plain(75)},
    CONFIRMED
    | {
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
        may=PICKED_BY_HINT | {"initial_option": OPTION, "min_query_length": number(0, 1000)}
    ),
    "users_select": element(may=PICKED_BY_HINT | {"initial_user": text(255)}),
    "multi_users_select": element(may=PICKED_BY_HINT | SEVERAL | {"initial_users": STRINGS}),
    "channels_select": element(may=PICKED_BY_HINT | ANSWERED | {"initial_channel": text(255)}),
    "multi_channels_select": element(may=PICKED_BY_HINT | SEVERAL | {"initial_channels": STRINGS}),
    "conversations_select": element(
        may=PICKED_BY_HINT | WHERE | ANSWERED | {"initial_conversation": text(255)}
    ),
    "multi_conversations_select": element(
        may=PICKED_BY_HINT | WHERE | SEVERAL | {"initial_conversations": STRINGS}
    ),
    "datepicker": element(may=PICKED_BY_HINT | {"initial_date": text(10)}),
    "timepicker": element(may=PICKED_BY_HINT | {"initial_time": text(5), "timezone": text(255)}),
    "datetimepicker": element(may=PICKED | {"initial_date_time": number(10**9, 10**10 - 1)}),
    "radio_buttons": element({"options": listed(CHOICE, 10)}, PICKED | {"initial_option": CHOICE}),
    "checkboxes": element(
        {"options": listed(CHOICE, 10)}, PICKED | {"initial_options": listed(CHOICE, 10)}
    ),
}
PRESSED: dict[str, Rule] = {
    "button": BUTTON,
    "overflow": element({"options": listed(MENU_ITEM, 5)}, CONFIRMED),
}
INPUTS: dict[str, Rule] = CHOICES | {
    "plain_text_input": element(may=TYPED | LENGTHS),
    "email_text_input": element(may=TYPED),
    "url_text_input": element(may=TYPED),
    "number_input": element({"is_decimal_allowed": flag}, TYPED | BOUNDS),
    "file_input": element(may={"filetypes": STRINGS, "max_files": number(1, 10)}),
    "rich_text_input": element(may=ENTERED | {"initial_value": RICH_TEXT}),
}
