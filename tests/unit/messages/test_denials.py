"""What people are told when nothing was done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.objects import OBJECT_KINDS
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.tracking import ObjectChange
from bot.domain.watch_status import FailedAnswer
from bot.messages import denials
from bot.messages.errors import CANNOT_POST
from bot.policy.decide import Refused
from bot.policy.rules import Role
from bot.secmaster import Unread
from tests.support.samples import ENGLISH, TASK
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, refusals, roles, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

ROLES = {"approver": Role(users=("U0ALICE",), usergroups=("S0SOC",)), "empty": Role()}


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (Refused(RefusalReason.GUEST), "Guests can't read"),
        (Refused(RefusalReason.OUTSIDER), "People from other organisations"),
        (Refused(RefusalReason.UNKNOWN_PERSON), "Slack could not confirm who you are."),
        (
            Refused(RefusalReason.UNREAD),
            "Can't reach SecMaster, so permissions can't be checked. Try again.",
        ),
        (Refused(RefusalReason.NO_RULE), "No rule allows `task.approve`"),
        (
            Refused(RefusalReason.RULE, "rule 2", ("approver", "empty")),
            "(<@U0ALICE> and <!subteam^S0SOC>) or *empty* (nobody) can do this (rule 2).",
        ),
        (
            Refused(RefusalReason.DENIED, "rule 2 (freeze)"),
            "Rule 2 “freeze” denies this. No other rule can allow it.",
        ),
        (
            Refused(RefusalReason.SELF, "rule 2", ("approver",)),
            "another approver must decide: *approver* (<@U0ALICE> and <!subteam^S0SOC>).",
        ),
        (Refused(RefusalReason.DENIED_UNREAD, "rule 2"), "could not be read. Try again, or decide"),
        (
            Refused(RefusalReason.LOOKALIKE, "rule 2", letters="аο"),
            "а is Cyrillic small letter a and ο is Greek small letter omicron. Rename it",
        ),
        (Refused(RefusalReason.LOOKALIKE, "rule 2", letters="іѕоӏате"), "letter a, and 2 more."),
    ],
)
def test_a_refusal_says_which_rule_and_who_may(refused: Refused, expected: str) -> None:
    text = denials.not_allowed(ENGLISH, BY_NAME["task.approve"], TASK, refused, ROLES).text
    assert expected in text
    assert "The approval was not sent." in text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (FailedAnswer(reason=OutcomeReason.LOST_ANSWER), "SecMaster's answer was lost"),
        (
            FailedAnswer(reason=OutcomeReason.FORBIDDEN, status=401, code="APIGW.0301"),
            "SecMaster does not accept the bot's credentials",
        ),
        (
            FailedAnswer(reason=OutcomeReason.UNAVAILABLE, status=429),
            "SecMaster limits the bot's requests",
        ),
        (
            FailedAnswer(reason=OutcomeReason.FORBIDDEN, status=403, code="APIGW.0302"),
            "SecMaster denies the bot a permission",
        ),
        (
            FailedAnswer(reason=OutcomeReason.UNREACHABLE, unsent=True),
            "The bot can't get its credentials for SecMaster",
        ),
        (FailedAnswer(reason=OutcomeReason.UNAVAILABLE), "SecMaster is not responding properly"),
    ],
)
@pytest.mark.parametrize("reason", [RefusalReason.UNREAD, RefusalReason.DENIED_UNREAD])
def test_trouble_of_secmasters_is_called_that_and_no_refusal_of_rights(
    answer: FailedAnswer, expected: str, reason: RefusalReason
) -> None:
    action, refused = BY_NAME["task.approve"], Refused(reason, "rule 2")
    text = denials.not_allowed(ENGLISH, action, TASK, refused, ROLES, answer).text
    assert text.startswith(f"⏳ {expected}")
    assert "Try again" in text
    assert "The approval was not sent." in text
    assert answer.code in text
    for other in set(RefusalReason) - {*denials.UNREAD_REASONS, *denials.PASSING_REASONS}:
        refused = Refused(other, "rule 2")
        assert denials.not_allowed(ENGLISH, action, TASK, refused, ROLES, answer).text.startswith(
            "🚫"
        )


@pytest.mark.parametrize(
    "answer",
    [
        FailedAnswer(
            reason=OutcomeReason.UNREACHABLE,
            message="SecMaster can't be reached: the proxy http://10.9.9.9:3128 refuses",
            cause="the proxy http://10.9.9.9:3128 refuses: correct SECMASTER_PROXY",
        ),
        FailedAnswer(
            reason=OutcomeReason.FORBIDDEN, status=401, message="IAM: 10.9.9.9", unsent=True
        ),
    ],
)
def test_whoever_clicks_reads_nothing_of_the_network_or_of_iam(answer: FailedAnswer) -> None:
    refused = Refused(RefusalReason.UNREAD)
    text = denials.not_allowed(ENGLISH, BY_NAME["task.approve"], TASK, refused, ROLES, answer).text
    assert text.endswith("The approval was not sent.")
    assert "10.9.9.9" not in text
    assert "SECMASTER_PROXY" not in text


def test_a_secmaster_out_of_reach_is_waited_for_and_is_no_refusal() -> None:
    answer = FailedAnswer(reason=OutcomeReason.UNREACHABLE)
    refused, action = Refused(RefusalReason.UNREAD), BY_NAME["task.approve"]
    assert denials.not_allowed(ENGLISH, action, TASK, refused, ROLES, answer).text == (
        "⏳ Can't reach SecMaster, so permissions can't be checked. Try again. "
        "The approval was not sent."
    )


def test_every_refusal_has_a_sentence_that_names_its_rule() -> None:
    assert set(denials.REFUSAL_SENTENCES) == set(RefusalReason)
    for reason in RefusalReason:
        refused = Refused(reason, "rule {2}", ("approver",))
        sentence = denials.refusal(ENGLISH, BY_NAME["task.approve"], TASK, refused, ROLES)
        assert "{" not in sentence.replace("{2}", "")
        for kind in OBJECT_KINDS:
            text = denials.may_not_read(ENGLISH, kind, refused, ROLES).text
            assert "{" not in text.replace("{2}", "")


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (Refused(RefusalReason.GUEST), "Guests can't read or change anything here."),
        (
            Refused(RefusalReason.NO_RULE),
            "No rule lets you read tasks. Ask whoever runs this bot to add you.",
        ),
        (
            Refused(RefusalReason.RULE, "rule 2", ("approver",)),
            "(<@U0ALICE> and <!subteam^S0SOC>) can read tasks (rule 2). Ask one of them, or",
        ),
        (Refused(RefusalReason.UNSTATED, "rule 2"), "so nobody can be shown this task."),
    ],
)
def test_whoever_may_not_read_is_told_who_may(refused: Refused, expected: str) -> None:
    assert expected in denials.may_not_read(ENGLISH, "task", refused, ROLES).text


@pytest.mark.parametrize("change", ObjectChange)
@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (Refused(RefusalReason.RULE, roles=("approver",)), "only *approver* (<@U0ALICE> and "),
        (Refused(RefusalReason.NO_RULE), "nobody decide it. Ask whoever runs this bot."),
        (Refused(RefusalReason.GUEST), "🚫 Guests can't read or change anything here. No"),
        (Refused(RefusalReason.SELF, "rule 2", ("approver",)), "You created this task, so"),
        (
            Refused(
                RefusalReason.EVIDENCE_UNREAD, "rule 2", unread=Unread(subject="alert", status=503)
            ),
            "⏳ The alert can't be read.",
        ),
    ],
)
def test_whoever_may_not_change_what_is_called_for_is_told_so_in_its_own_words(
    change: ObjectChange, refused: Refused, expected: str
) -> None:
    text = denials.change_not_allowed(ENGLISH, change, TASK, refused, ROLES).text
    assert expected in text
    verbs = {
        ObjectChange.CLAIM: ("claim this:", "claimed."),
        ObjectChange.RELEASE: ("release this claim:", "released."),
        ObjectChange.ESCALATE: ("escalate this:", "escalated."),
        ObjectChange.SNOOZE: ("snooze this for everyone:", "snoozed."),
        ObjectChange.WAKE: ("end this snooze:", "ended."),
    }
    assert any(verb in text for verb in verbs[change])
    assert "not sent" not in text
    assert "approval" not in text


@FEW
@given(st.sampled_from(ObjectChange), refusals, roles)
def test_any_refusal_of_a_change_can_be_told(
    change: ObjectChange, refused: Refused, roles: dict[str, Role]
) -> None:
    assert_slack_takes(denials.change_not_allowed(ENGLISH, change, TASK, refused, roles))


@FEW
@given(st.sampled_from(TABLE), refusals, roles)
def test_any_refusal_can_be_told(action: Action, refused: Refused, roles: dict[str, Role]) -> None:
    assert_slack_takes(denials.not_allowed(ENGLISH, action, TASK, refused, roles))
    assert_slack_takes(denials.may_not_read(ENGLISH, action.kind, refused, roles))


def test_a_refusal_names_many_groups_without_breaking_a_mention() -> None:
    roles = {"everybody": Role(usergroups=("S0SOC",) * 300)}
    refused = Refused(RefusalReason.RULE, "rule 1", ("everybody",))
    assert_slack_takes(denials.not_allowed(ENGLISH, BY_NAME["task.approve"], TASK, refused, roles))


@pytest.mark.parametrize("action", TABLE, ids=list(BY_NAME))
def test_what_is_said_of_an_action_is_one_that_slack_takes(action: Action) -> None:
    assert_slack_takes(denials.needs_reason(ENGLISH, action, "/secmaster"))
    assert_slack_takes(denials.needs_reason(ENGLISH, action, "/secmaster", break_glass=True))
    assert_slack_takes(denials.needs_name(ENGLISH, action))


@FEW
@given(st.sampled_from([*CANNOT_POST, "odd"]), words)
def test_the_rest_can_be_told_too(code: str, reference: str) -> None:
    assert_slack_takes(denials.cannot_post(ENGLISH, code))
    assert_slack_takes(denials.own_fault(ENGLISH, reference))
    assert_slack_takes(denials.newer_button(ENGLISH))


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (
            503,
            "",
            "⏳ The alert can't be read. SecMaster answered HTTP 503. Rule 2 checks ",
        ),
        (0, "timeout", "⏳ The alert can't be read. SecMaster did not answer. Rule 2 checks the "),
        (
            403,
            "",
            "🚫 The alert can't be read. SecMaster answered HTTP 403: the bot's ",
        ),
        (
            404,
            "SecMaster.20010004",
            "🚫 The alert can't be read. SecMaster answered HTTP 404: it does not exist ",
        ),
        (
            404,
            "APIGW.0101",
            "🚫 The alert can't be read. The gateway answered HTTP 404 before SecMaster was ",
        ),
    ],
)
def test_what_could_not_be_read_is_named_with_what_to_do(
    status: int, code: str, sentence: str
) -> None:
    unread = Unread(subject="alert", status=status, code=code)
    refused = Refused(RefusalReason.EVIDENCE_UNREAD, "rule 2", unread=unread)
    text = denials.not_allowed(ENGLISH, BY_NAME["task.approve"], TASK, refused, {}).text
    assert text.startswith(sentence)
    advice = "Try again." if sentence.startswith("⏳") else "Decide in the console."
    assert f"{advice} The approval was not sent." in text
    assert denials.may_pass(refused) == sentence.startswith("⏳")
