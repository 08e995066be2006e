"""The card of several tasks: rows within Slack's limits, each with its own buttons."""

from datetime import timedelta

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.slack import Actor
from bot.domain.snapshots import decision_fingerprint
from bot.domain.stages import one_stage
from bot.domain.tracking import TrackedObject
from bot.messages import task_groups
from bot.messages.blocks import RenderContext, Tally
from bot.secmaster import Task
from tests.support.rendered import read
from tests.support.samples import ENGLISH, NOW

REF = Ref(kind="task", id="t0")
RENDER_CONTEXT = RenderContext(REF, NOW, ENGLISH, "main")
REQUEST = ApprovalRequest(
    id="b",
    action="task.approve",
    approvals=(Approval(operation_id="o", actor=Actor(id="U0BOB"), at=NOW),),
    stages=one_stage(2),
    expires_at=NOW,
)
TALLIES = {Ref(kind="task", id="t2"): {"task.approve": Tally(0, one_stage(2))}}


def tracked(number: int, *, status: str = "waiting", **fields: str) -> TrackedObject:
    task = Task(
        id=f"t{number}",
        name=f"Block <!here> {number}" + "x" * 200,
        status=status,
        due_date=NOW + timedelta(hours=1),
        due_handle="CONTINUE",
        view_parameters='[{"name": "ip", "value": "203.0.113.77"}]',
        **fields,
    )
    ref = Ref(kind="task", id=task.id)
    is_open = status == "waiting"
    return TrackedObject(ref, task, NOW, open=is_open, snoozed_until=NOW + timedelta(hours=1))


def test_each_row_has_its_facts_and_buttons_that_carry_what_it_showed() -> None:
    rows = [tracked(number) for number in range(50)]
    message = task_groups.card(
        RENDER_CONTEXT, rows, (50, 60), {rows[1].ref: (REQUEST,)}, TALLIES, "/soc"
    )
    blocks = message.payload["blocks"]
    assert len(blocks) <= 50
    text = read(message.payload)
    assert "50 of 60 are waiting." in message.text
    assert "and 43 more: `/soc task list`" in text
    assert "ip: 203.0.113.77" in text
    assert text.count("Approvals to approve: 1 of 2") == 1
    assert text.count("Approvals to approve: 0 of 2") == 1
    assert text.count("You will be 1 of 2. Nothing is sent until 2 people have approved.") == 1
    assert "*Block <!here>" not in text  # as a confirmation it is plain text
    values = [
        ButtonValue.parse(element["value"])
        for block in blocks
        for element in block.get("elements", [])
        if element.get("action_id") == "task.approve"
    ]
    assert values == [
        ButtonValue(ref=row.ref, decision_fingerprint=decision_fingerprint(row.snapshot))
        for row in rows[: task_groups.SHOWN]
    ]


def test_a_row_counts_no_approval_of_an_earlier_version_of_its_task() -> None:
    row = tracked(0)
    [approval] = REQUEST.approvals
    earlier = approval.model_copy(update={"decision_fingerprint": "of another version"})
    outdated = REQUEST.model_copy(update={"approvals": (earlier,)})
    message = task_groups.card(RENDER_CONTEXT, [row], (1, 1), {row.ref: (outdated,)}, {}, "/soc")
    assert "Approvals to approve: 0 of 2" in read(message.payload)


def test_what_is_over_has_no_row_unless_all_is_and_then_no_buttons_of_decisions() -> None:
    over = [tracked(0, status="finished"), tracked(1, status="canceled")]
    some = task_groups.card(RENDER_CONTEXT, [tracked(2), *over], (1, 3), {}, {}, "/soc")
    assert "1 of 3 is waiting." in some.text
    assert "Block &lt;!here&gt; 0" not in read(some.payload)
    none = task_groups.card(RENDER_CONTEXT, over, (0, 2), {}, {}, "/soc")
    assert none.text == "✅ 2 tasks: None of them is waiting any more."
    assert "task.approve" not in str(none.payload)
