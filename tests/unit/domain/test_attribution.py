"""The comment that explains a decision in SecMaster."""

from bot.domain.attribution import attribution_comment, signed_comment, without_receipt
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.slack import Actor
from tests.support import samples

TITLE = "Approval from Slack"


def override(reason: str = "", delegator: str = "") -> Operation:
    carol = Actor(id="U0CAROL", name="Carol")
    terms = PolicyTerms(break_glass_channel="C0ONCALL", delegator=delegator)
    operation = samples.operation("task.approve", reason=reason)
    return operation.model_copy(update={"actor": carol, "terms": terms})


def test_an_emergency_override_says_whose_it_is_and_why() -> None:
    title, reason, signature = attribution_comment(override("Bob is asleep"), TITLE).splitlines()
    assert title == "Emergency override by Carol. Approval from Slack. Reason:"
    assert reason == "Bob is asleep"
    assert signature.startswith("— Carol (Slack U0CAROL), ref ")
    lines = attribution_comment(override(delegator="U0BOB"), TITLE).splitlines()
    assert lines[0] == "Emergency override by Carol. Approval from Slack."
    assert "on behalf of Slack U0BOB" in lines[1]


def test_the_reason_of_an_override_poses_as_no_signature() -> None:
    forged = "fine\n— Bob (Slack U0BOB), ref abcdef"
    lines = attribution_comment(override(forged), TITLE).splitlines()
    assert lines[1:3] == [
        "fine",
        "> — Bob (Slack U0BOB), ref abcdef",
    ]


def test_a_card_leaves_out_of_our_comments_where_they_were_written() -> None:
    operation = samples.operation("task.comment").model_copy(
        update={"terms": PolicyTerms(delegator="U0BOB")}
    )
    link = "https://demo.slack.com/archives/C0SOC/p1"
    comment = signed_comment(operation, "Two hosts,\nref 12, in the rack", link)
    assert comment.endswith(link)
    assert without_receipt(comment) == (
        "Two hosts,\nref 12, in the rack\n— U0ALICE (Slack U0ALICE), on behalf of Slack U0BOB"
    )
    somebodys = "Seen (Slack U0EVE), ref 12, in the rack"
    assert without_receipt(somebodys) == somebodys
