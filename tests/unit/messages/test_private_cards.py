"""What a command asks before it is carried out fits into its button, whatever was typed."""

from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.actions import MAX_REASON, TABLE
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.stages import one_stage
from bot.messages.blocks import Tally
from bot.messages.private_cards import BUTTON_VALUE, AskedCommand, question, try_again_button
from bot.secmaster import Evidence, Task, TaskStatus, Workflow
from tests.support.examples import examples
from tests.support.samples import ENGLISH, WAITING
from tests.support.slack_limits import assert_slack_takes

LONGEST = ButtonValue(
    ref=Ref(kind="instance", id="x" * 64, workspace="w" * 64), decision_fingerprint="0" * 32
)


TWO_NEEDED = Tally(0, one_stage(2))


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


def test_a_question_says_what_its_button_leads_to_as_the_cards_button_does() -> None:
    evidence = Evidence(upcoming=("Isolate",), workflow=Workflow(aop_type="HEMOSTASIS"))
    task = WAITING.model_copy(update={"business_type": "WORKFLOWNODEAPPROVE", "evidence": evidence})
    text = question(ENGLISH, asked("", action="task.approve"), task, None, TWO_NEEDED).text
    assert (
        "The workflow continues with “Isolate”. "
        "You will be 1 of 2. Nothing is sent until 2 people have approved. "
        "Workflow type: containment (isolates or blocks). "
        "Nothing is recorded until you press the button."
    ) in text
    terminate = question(ENGLISH, asked("", action="task.terminate"), task, None).text
    assert "The task is terminated. Workflow type: containment" in terminate


def test_what_is_tried_again_counts_where_several_people_must_approve() -> None:
    for needed, sentence in (
        (1, "It is sent to SecMaster in your name."),
        (2, "It counts as your approval. Nothing is sent until 2 people have approved."),
    ):
        command = asked("", action="task.approve")
        button = try_again_button(ENGLISH, command, asks_first=True, needed=needed).to_dict()
        assert button["confirm"]["text"]["text"] == sentence


def test_slack_takes_the_question_of_every_action_that_is_asked_back() -> None:
    for action in TABLE:
        if action.has_effect:
            [status, *_] = action.allowed_statuses or action.button_statuses
            snapshot = Task(id="t", name="<!channel> *x*", status=status)
            message = question(ENGLISH, asked("<b> & `c`\n> d", action=action.name), snapshot, None)
            assert_slack_takes(message)
            assert "<!channel>" not in message.text
    decided = Task(id="t", name="x", status=TaskStatus.FINISHED)
    command = asked("", action="task.approve")
    message = question(ENGLISH, command, decided, None)
    assert "no longer open to this" in message.text
    assert len(message.blocks) == 1
