"""The comments by which SecMaster knows who decided."""

from bot.domain.attribution import attribution_comment
from tests.support.samples import operation


def test_an_emergency_override_names_who_decided_and_why() -> None:
    approval = operation("task.approve", reason="Bob is asleep")
    terms = approval.terms.model_copy(update={"break_glass_channel": "C0GENERAL"})
    override = approval.model_copy(update={"terms": terms})
    assert attribution_comment(override, "approval").splitlines()[:2] == [
        "Approval from Slack. Emergency override by U0ALICE.",
        "Reason: Bob is asleep",
    ]
    assert attribution_comment(approval, "approval").splitlines()[:2] == [
        "Approval from Slack",
        "Bob is asleep",
    ]
