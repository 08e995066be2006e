"""The card of one workflow's failures."""

from datetime import timedelta

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.objects import Ref
from bot.domain.slack import Actor
from bot.domain.stages import one_stage
from bot.domain.tracking import TrackedObject
from bot.messages import failure_groups
from bot.messages.blocks import RenderContext, Tally
from bot.secmaster import Instance
from tests.support.rendered import read
from tests.support.samples import ENGLISH, NOW

REF = Ref(kind="instance", id="r1")
RENDER_CONTEXT = RenderContext(REF, NOW, ENGLISH, "main")

TRACEBACK = (
    f"Traceback (most recent call last):\n{'  File x' * 60}\nAttributeError: no strip\nINFO bye"
)


def run(name: str, status: str = "FAILED") -> Instance:
    return Instance(id=name[:60], name=f"Run {name}", status=status, end_time=NOW)


def retry_request() -> ApprovalRequest:
    approval = Approval(operation_id="o" * 32, actor=Actor(id="U0CAROL", team="T0DEMO"), at=NOW)
    return ApprovalRequest(
        id="b",
        action="instance.retry",
        approvals=(approval,),
        stages=one_stage(2),
        expires_at=NOW + timedelta(hours=1),
    )


def test_a_card_of_several_shows_who_is_waited_for_beside_the_run_it_is_about() -> None:
    tracked = [TrackedObject(Ref(kind="instance", id=id_), run(id_), NOW) for id_ in ("r1", "r2")]
    message = failure_groups.card(
        RENDER_CONTEXT, tracked, (2, 2), {tracked[1].ref: (retry_request(),)}, {}
    )
    texts = [id_.get("text", {}).get("text", "") for id_ in message.payload["blocks"]]
    [first] = [index for index, text in enumerate(texts) if text.startswith("*Run r1*")]
    [second] = [index for index, text in enumerate(texts) if text.startswith("*Run r2*")]
    [approval] = [index for index, text in enumerate(texts) if "Approvals to retry: 1 of 2" in text]
    assert first < second < approval


def test_a_card_of_many_fits_into_a_message() -> None:
    tracked = [
        TrackedObject(Ref(kind="instance", id=f"r{id_}"), run("x" * 200), NOW) for id_ in range(50)
    ]
    requests = {id_.ref: (retry_request(),) for id_ in tracked}
    assert (
        len(failure_groups.card(RENDER_CONTEXT, tracked, (50, 50), requests, {}).payload["blocks"])
        <= 50
    )
    assert len(failure_groups.visible_rows(tracked)) == failure_groups.SHOWN


def test_where_none_is_failed_any_more_the_rows_stay_and_their_buttons_go() -> None:
    tracked = [TrackedObject(REF, run("r1", "FINISHED"), NOW, open=False)]
    message = failure_groups.card(RENDER_CONTEXT, tracked, (0, 1), {REF: (retry_request(),)}, {})
    assert message.text.endswith("✅ No run is failed any more.")
    assert [block["type"] for block in message.payload["blocks"]].count("actions") == 0


def test_a_row_begins_with_the_line_that_says_what_went_wrong_and_says_who_else_is_needed() -> None:
    node = {
        "action_id": "n-1",
        "action_name": "Respond",
        "error_msg": TRACEBACK,
        "status": "FAILED",
    }
    failed = run("r1").model_copy(update={"nodes": Instance(nodes=[node]).nodes})
    tallies = {REF: {"instance.retry": Tally(0, one_stage(2))}}
    tracked = [TrackedObject(REF, failed, NOW)]
    message = failure_groups.card(RENDER_CONTEXT, tracked, (1, 1), {}, tallies)
    text = read(message.payload)
    assert "```AttributeError: no strip\n" in text
    assert "Failed at Respond: AttributeError: no strip\n" in text
    assert "You will be 1 of 2. Nothing is sent until 2 people have approved." in text
