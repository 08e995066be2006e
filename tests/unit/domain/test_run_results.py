"""Which run waits for a task, and what a policy record says of a block."""

import pytest

from bot.domain.objects import Ref
from bot.domain.run_results import BlockResult, FailedBlock, run_of
from bot.secmaster import PolicyRecord, Task

TASK = Ref(kind="task", id="t1", workspace="eu")


@pytest.mark.parametrize(
    ("business_type", "run_id", "text"),
    [
        ("WORKFLOWNODEAPPROVE", "i-1", "1:instance:eu:i-1"),
        ("PLAYBOOKNODEAPPROVE", "p-1", "1:playbook:eu:p-1"),
        ("WORKFLOWPUBLISH", "i-1", None),
        ("SOMETHING_NEW", "i-1", None),
        ("WORKFLOWNODEAPPROVE", "", None),
        ("WORKFLOWNODEAPPROVE", "no id/at all", None),
        ("WORKFLOWNODEAPPROVE", "x" * 500, None),
    ],
)
def test_a_run_waits_for_a_node_and_not_for_a_publication(
    business_type: str, run_id: str, text: str | None
) -> None:
    run = run_of(TASK, Task(business_type=business_type, action_instance_id=run_id))
    assert run == (Ref.parse(text) if text else None)
    assert run is None or str(run) == text


def test_each_line_of_defense_did_it_or_failed_or_has_not_ended() -> None:
    record = PolicyRecord.model_validate(
        {
            "block_target": "203.0.113.7",
            "defense_policy_list": [
                {"defense_type": "WAF", "defense_block_status": "SUCCESS"},
                {
                    "defense_type": "VPC",
                    "defense_block_status": "BLOCK_FAILED",
                    "defense_failure_description": "quota",
                },
                {"defense_type": "CFW", "defense_block_status": None},
            ],
        }
    )
    assert BlockResult.of(record) == BlockResult(
        target="203.0.113.7",
        done=("WAF",),
        failed=(FailedBlock(defense="VPC", reason="quota"),),
        pending=("CFW",),
    )
