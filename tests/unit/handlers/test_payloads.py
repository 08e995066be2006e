"""Whatever Slack sends is read into what the bot serves, into nothing, or is named unreadable."""

from typing import Any

import pytest

from bot.domain.slack import Actor, FormInput, SlackFile, SlackLocation
from handlers.payloads import (
    GlobalShortcut,
    HomeOpened,
    Mention,
    MessageShortcut,
    Payload,
    Press,
    SlashCommand,
    Submission,
    Unreadable,
    read,
)

Json = dict[str, Any]

ALICE = Actor(id="U0ALICE", name="alice", team="T0HOME")
USER = {"id": "U0ALICE", "username": "alice", "team_id": "T0HOME"}
URL = "https://hooks.example/1"
COMMAND: Json = {
    "command": "/secmaster",
    "text": "task list",
    "user_id": "U0ALICE",
    "user_name": "alice",
    "team_id": "T0HOME",
    "channel_id": "C0SOC",
    "channel_name": "soc",
    "trigger_id": "1.2.a",
    "response_url": URL,
}
MENTION: Json = {
    "type": "event_callback",
    "team_id": "T0HOME",
    "event_id": "Ev1",
    "event_time": 17,
    "event": {
        "type": "app_mention",
        "user": "U0ALICE",
        "team": "T0HOME",
        "channel": "C0SOC",
        "ts": "17.2",
        "thread_ts": "17.1",
        "text": "<@U0BOT> help",
    },
}
PRESS: Json = {
    "type": "block_actions",
    "user": USER,
    "team": {"id": "T0HOME"},
    "channel": {"id": "C0SOC", "name": "soc"},
    "container": {"message_ts": "17.2", "channel_id": "C0SOC", "is_ephemeral": False},
    "message": {"thread_ts": "17.1"},
    "actions": [{"action_id": "task.approve", "value": "1:task:main:t-1"}],
    "trigger_id": "1.2.a",
    "response_url": URL,
}
SUBMISSION: Json = {
    "type": "view_submission",
    "user": USER,
    "team": {"id": "T0HOME"},
    "view": {
        "id": "V1",
        "callback_id": "form",
        "private_metadata": "{}",
        "state": {
            "values": {
                "reason": {"reason": {"type": "plain_text_input", "value": "decoy"}},
                "empty": {"empty": {"type": "plain_text_input", "value": None}},
                "one": {"one": {"selected_option": {"value": "a"}}},
                "none": {"none": {"selected_option": None}},
                "many": {"many": {"selected_options": [{"value": "a"}, {"value": "b"}]}},
                "files": {"files": {"files": [{"id": "F1", "name": "a.txt"}]}},
            }
        },
    },
}
SHORTCUT: Json = {
    "type": "shortcut",
    "user": USER,
    "callback_id": "waiting",
    "trigger_id": "1.2.a",
}
MESSAGE_SHORTCUT: Json = SHORTCUT | {
    "type": "message_action",
    "callback_id": "task.attach",
    "channel": {"id": "C0SOC", "name": "soc"},
    "message": {
        "ts": "17.2",
        "thread_ts": "17.1",
        "user": "U0BOB",
        "text": "look",
        "files": [{"id": "F1", "name": "a.txt"}, {"id": "F2", "mode": "tombstone"}],
    },
    "response_url": URL,
}


def event(**fields: Any) -> Json:
    return MENTION | {"event": {"user": "U0ALICE", "channel": "C0SOC", "ts": "17.2", **fields}}


def direct(**fields: Any) -> Json:
    return event(type="message", channel="D0ALICE", channel_type="im", text="help", **fields)


def payload(content: Json) -> Payload:
    served = read(content)
    assert served
    return served


def without(content: Json, path: str) -> Json:
    name, _, rest = path.partition(".")
    if rest:
        return content | {name: without(content[name], rest)}
    return {key: value for key, value in content.items() if key != name}


def test_a_command_is_read() -> None:
    command = payload(COMMAND)
    assert isinstance(command, SlashCommand)
    assert (command.command, command.text, command.trigger_id) == (
        "/secmaster",
        "task list",
        "1.2.a",
    )
    assert command.requester.actor == ALICE
    location = SlackLocation(channel="C0SOC", response_url=URL, channel_name="soc")
    assert command.requester.location == location


def test_a_mention_is_read_with_what_names_it_and_its_thread() -> None:
    mention = payload(MENTION)
    assert isinstance(mention, Mention)
    assert (mention.text, mention.ts, mention.key) == ("<@U0BOT> help", "17.2", "C0SOC:17.2")
    assert (mention.files, mention.is_edited) == ((), False)
    assert mention.requester.actor == Actor(id="U0ALICE", team="T0HOME")
    assert mention.requester.location == SlackLocation(channel="C0SOC", thread="17.1")


@pytest.mark.parametrize("edited", [{"user": "U0ALICE", "ts": "17.5"}, {"ts": None}, 17, "x"])
def test_an_edited_mention_is_known_whatever_is_said_of_the_edit(edited: Any) -> None:
    mention = payload(event(type="app_mention", edited=edited))
    assert isinstance(mention, Mention)
    assert mention.is_edited


@pytest.mark.parametrize("subtype", [None, "file_share", "me_message", "thread_broadcast"])
def test_whatever_a_person_writes_in_a_direct_message_speaks_to_the_bot(subtype: Any) -> None:
    mention = payload(direct(subtype=subtype, files=[{"id": "F1", "name": "a.png"}]))
    assert isinstance(mention, Mention)
    assert mention.files == (SlackFile(id="F1", name="a.png"),)
    assert mention.requester.location.channel == "D0ALICE"


@pytest.mark.parametrize(
    "content",
    [
        *(
            direct(subtype=subtype)
            for subtype in ("message_changed", "message_deleted", "bot_message", "channel_join")
        ),
        direct(subtype={"a": 1}),
        direct(bot_id="B0OTHER"),
        direct(bot_id={"id": "B0OTHER"}),
        direct(user=None),
        direct(user={"id": "U0ALICE"}),
        direct() | {"type": "another"},
        event(type="message", channel_type="channel"),
        event(type="app_home_opened", tab="messages"),
        event(type="channel_created", channel={"id": "C1"}),
        COMMAND | {"ssl_check": "1"},
        SUBMISSION | {"view": {"callback_id": "another"}},
        SHORTCUT | {"callback_id": "another"},
        MESSAGE_SHORTCUT | {"callback_id": "another"},
        {"type": "app_rate_limited", "team_id": "T0HOME"},
        {"type": "event_callback", "event": None},
        *(None, 3, "x", [], {}),
    ],
)
def test_what_is_not_served_is_nothing(content: Any) -> None:
    assert read(content) is None


def test_an_opened_home_is_read() -> None:
    opened = payload(event(type="app_home_opened", tab="home"))
    assert isinstance(opened, HomeOpened)
    assert opened.requester.actor.id == "U0ALICE"


def test_a_press_is_located_at_the_card_and_its_thread() -> None:
    press = payload(PRESS)
    assert isinstance(press, Press)
    assert (press.action_id, press.value, press.option) == ("task.approve", "1:task:main:t-1", "")
    assert (press.trigger_id, press.in_modal) == ("1.2.a", False)
    assert press.requester.actor == ALICE
    assert press.requester.location == SlackLocation(
        channel="C0SOC", card="17.2", thread="17.1", response_url=URL, channel_name="soc"
    )


def test_a_choice_in_a_menu_is_read_by_its_option() -> None:
    press = payload(
        PRESS | {"actions": [{"action_id": "more", "selected_option": {"value": "details|x"}}]}
    )
    assert isinstance(press, Press)
    assert press.option == "details|x"


def test_a_message_that_only_one_person_sees_is_no_card() -> None:
    container = PRESS["container"] | {"is_ephemeral": True}
    assert payload(PRESS | {"container": container}).requester.location.card == ""


def test_a_press_in_a_message_that_slack_leaves_out_is_located_by_its_container() -> None:
    container = {"message_ts": "17.2", "channel_id": "C0SOC", "thread_ts": "17.1"}
    content = without(without(without(PRESS, "channel"), "message"), "response_url")
    location = payload(content | {"container": container}).requester.location
    assert location == SlackLocation(channel="C0SOC", card="17.2", thread="17.1")


def test_a_submission_and_a_press_on_home_are_located_nowhere() -> None:
    on_home = {"type": "block_actions", "user": USER, "actions": [{"action_id": "home"}]}
    on_home |= {"trigger_id": "1", "container": {"type": "view"}, "view": {"type": "home"}}
    for content in (SUBMISSION, on_home):
        assert payload(content).requester.location == SlackLocation()


def test_a_submission_is_read_with_all_of_its_inputs() -> None:
    submission = payload(SUBMISSION)
    assert isinstance(submission, Submission)
    assert (submission.callback_id, submission.view_id) == ("form", "V1")
    assert submission.metadata == "{}"
    assert submission.inputs == {
        "reason": FormInput(text="decoy"),
        "empty": FormInput(),
        "one": FormInput(options=("a",)),
        "none": FormInput(),
        "many": FormInput(options=("a", "b")),
        "files": FormInput(files=(SlackFile(id="F1", name="a.txt"),)),
    }


def test_shortcuts_are_read() -> None:
    shortcut = payload(SHORTCUT)
    assert isinstance(shortcut, GlobalShortcut)
    message_shortcut = payload(MESSAGE_SHORTCUT)
    assert isinstance(message_shortcut, MessageShortcut)
    assert (message_shortcut.callback_id, message_shortcut.root_ts) == ("task.attach", "17.1")
    assert (message_shortcut.author, message_shortcut.text) == ("U0BOB", "look")
    assert message_shortcut.files == (SlackFile(id="F1", name="a.txt"),)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        *((COMMAND, path) for path in ("user_id", "channel_id", "trigger_id")),
        *((MENTION, path) for path in ("event.channel", "event.ts")),
        *((PRESS, path) for path in ("user", "trigger_id", "actions")),
        *((SUBMISSION, path) for path in ("user", "view.id", "view.state", "view.state.values")),
        *((SHORTCUT, path) for path in ("user", "trigger_id")),
        *((MESSAGE_SHORTCUT, path) for path in ("channel", "message", "message.ts", "trigger_id")),
    ],
)
def test_what_lacks_a_field_that_is_needed_is_unreadable(content: Json, path: str) -> None:
    kind = type(read(content))
    with pytest.raises(Unreadable) as raised:
        read(without(content, path))
    assert raised.value.kind is kind
    if path not in {"user", "user_id"}:
        assert raised.value.requester.actor.id == "U0ALICE"


@pytest.mark.parametrize("value", [5, [], {}, True])
def test_an_input_that_cannot_be_read_is_not_taken_for_an_empty_one(value: object) -> None:
    values = SUBMISSION["view"]["state"]["values"] | {"reason": {"reason": {"value": value}}}
    view = SUBMISSION["view"] | {"state": {"values": values}}
    with pytest.raises(Unreadable):
        read(SUBMISSION | {"view": view})


@pytest.mark.parametrize("state", [{"values": []}, {"values": {}}, {}, None])
def test_a_form_without_inputs_may_have_no_values(state: object) -> None:
    view = SUBMISSION["view"] | {"state": state, "callback_id": "confirming"}
    confirmation = read(SUBMISSION | {"view": view})
    assert isinstance(confirmation, Submission)
    assert confirmation.inputs == {}


def test_of_files_that_cannot_all_be_read_none_is_taken() -> None:
    mention = payload(direct(files=[{"id": "F1"}, {"id": None}]))
    assert isinstance(mention, Mention)
    assert mention.files == ()


def test_an_event_of_another_organisation_carries_its_own_team() -> None:
    content = event(type="app_mention", user_team="T0OTHER", team="T0HOME")
    assert payload(content).requester.actor.team == "T0OTHER"


def test_an_event_without_a_team_is_of_the_workspace_that_it_comes_from() -> None:
    assert payload(event(type="app_mention")).requester.actor.team == "T0HOME"


def test_a_press_without_the_users_team_is_of_the_payloads_team() -> None:
    content = PRESS | {"user": {"id": "U0ALICE", "name": "alice"}}
    assert payload(content).requester.actor == ALICE


@pytest.mark.parametrize("name", ["privategroup", "directmessage", "mpdm"])
def test_slacks_words_for_the_kind_of_a_channel_are_no_names(name: str) -> None:
    assert payload(COMMAND | {"channel_name": name}).requester.location.channel_name == ""
    content = PRESS | {"channel": {"id": "C0SOC", "name": name}}
    assert payload(content).requester.location.channel_name == ""
