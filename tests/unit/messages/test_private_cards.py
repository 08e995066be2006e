"""What a command asks before it is carried out fits into its button, whatever was typed."""

from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, MAX_REASON, TABLE
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.messages.private_cards import BUTTON_VALUE, AskedCommand, question
from bot.secmaster import Task, TaskStatus
from tests.support.examples import examples
from tests.support.samples import ENGLISH
from tests.support.slack_limits import assert_slack_takes

LONGEST = ButtonValue(
    ref=Ref(kind="instance", id="x" * 64, workspace="w" * 64), decision_fingerprint="0" * 32
)


def asked(reason: str, node_input: str = "", action: str = "instance.debug") -> AskedCommand:
    params = {"task_id": "n" * 100, "input_dataobject": node_input} if node_input else {}
    return AskedCommand(action=action, button=str(LONGEST), reason=reason, params=params)


@given(st.text(max_size=MAX_REASON), st.text(max_size=3000))
@example("\x00" * MAX_REASON, "")
@example("🔥" * MAX_REASON, "")
@example("", '"' * 3000)
@examples(50)
def test_a_button_carries_what_was_typed_or_says_that_it_does_not(
    reason: str, node_input: str
) -> None:
    command = asked(reason, node_input)
    carried = str(command.fitting())
    assert len(carried) <= BUTTON_VALUE
    read = AskedCommand.parse(carried)
    assert read is not None
    assert (read.action, read.button) == (command.action, command.button)
    assert read.incomplete is (read.reason != reason or read.params != command.params)


def test_a_reason_that_people_type_is_always_carried() -> None:
    command = asked("理由" * (MAX_REASON // 2), action="task.terminate")
    assert AskedCommand.parse(str(command.fitting())) == command


def test_what_is_no_command_of_this_version_is_not_read() -> None:
    for text in ("", "{}", "1:task:main:x", '{"action": "task.melt", "button": ""}'):
        assert AskedCommand.parse(text) is None


def test_slack_takes_the_question_of_every_action_that_is_asked_back() -> None:
    for action in TABLE:
        if action.has_effect:
            [status, *_] = action.allowed_statuses or action.button_statuses
            snapshot = Task(id="t", name="<!channel> *x*", status=status)
            message = question(
                ENGLISH, action, asked("<b> & `c`\n> d", action=action.name), snapshot, None
            )
            assert_slack_takes(message)
            assert "<!channel>" not in message.text
    decided = Task(id="t", name="x", status=TaskStatus.FINISHED)
    command = asked("", action="task.approve")
    message = question(ENGLISH, BY_NAME["task.approve"], command, decided, None)
    assert "no longer open to this" in message.text
    assert len(message.blocks) == 1
