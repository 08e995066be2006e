"""Trouble is said in words of its own: since when, what was said, what to do, what happens then."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.objects import Ref
from bot.domain.reasons import OutcomeReason
from bot.domain.troubles import DueTask, DueTasks, Expiring, Trouble, TroubleKind
from bot.domain.watch_status import FailedAnswer
from bot.messages import troubles
from bot.messages.errors import secmaster_sentence
from bot.secmaster import Forbidden, SecMasterError, Unavailable
from bot.secmaster.replies import IAM, SECMASTER, Reply
from tests.support.samples import ENGLISH
from tests.support.slack_limits import assert_slack_takes

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LONG = "x" * 5000
ANSWER = FailedAnswer(
    reason=OutcomeReason.FORBIDDEN, status=401, code=LONG, message=LONG, request_id=LONG
)
TASKS = DueTasks(
    named=tuple(
        DueTask(ref=Ref(kind="task", id=f"t{number}"), name=f"<!here> {LONG}", due=NOW)
        for number in range(5)
    ),
    others=7,
)


@pytest.mark.parametrize("kind", TroubleKind)
@pytest.mark.parametrize("recurs", [False, True])
def test_each_kind_is_told_with_what_to_do_and_slack_takes_it(
    kind: TroubleKind, recurs: bool
) -> None:
    where = Expiring.SLACK_CA_FILE if kind is TroubleKind.EXPIRY else LONG
    trouble = Trouble(kind=kind, since=NOW, where=where, answer=ANSWER, code=LONG, ends_at=NOW)
    message = troubles.began(ENGLISH, trouble, TASKS, recurs=recurs)
    assert_slack_takes(message)
    assert_slack_takes(troubles.over(ENGLISH, trouble, NOW + timedelta(minutes=5)))
    assert "What to do" in message.text
    assert ("comes and goes" in message.text) is recurs
    assert "<!here>" not in message.text
    assert "Until then" not in message.text  # until when?
    assert ("7 more tasks" in message.text) is (kind is not TroubleKind.EXPIRY)


def test_what_is_auto_approved_meanwhile_is_counted_where_it_may_not_be_named() -> None:
    assert "• 1 task" in troubles.due_tasks_text(ENGLISH, DueTasks(others=1))
    assert troubles.due_tasks_text(ENGLISH, DueTasks()) == ""
    assert "not known which tasks auto-approve" in troubles.due_tasks_text(
        ENGLISH, DueTasks(is_known=False)
    )


@pytest.mark.parametrize("reason", OutcomeReason)
def test_whatever_secmaster_said_is_a_sentence_with_what_to_do(reason: OutcomeReason) -> None:
    answer = FailedAnswer(reason=reason, status=503, request_id="r1")
    assert secmaster_sentence(ENGLISH, answer).startswith(("SecMaster", "Huawei Cloud's gateway"))
    assert troubles.advice(ENGLISH, answer)
    is_lost = reason in {OutcomeReason.UNREACHABLE, OutcomeReason.LOST_ANSWER}
    expected = "" if is_lost else "SecMaster answered: `HTTP 503`. Request ID: `r1`."
    assert troubles.quoted_answer(ENGLISH, answer) == expected


@pytest.mark.parametrize(
    ("error", "expected", "absent"),
    [
        (
            Forbidden("not yours", status=403),
            ("denies the bot a permission", "SecMaster answered: not yours"),
            "-",
        ),
        (Forbidden("who?", status=401), ("does not accept", "clock"), "access key"),
        (Unavailable("slow down", status=429), ("limits the bot's requests", "every"), "support"),
        (
            Forbidden("IAM: password expired", status=401, unsent=True),
            ("can't get its credentials", "answered: IAM: password expired (`HTTP 401`)."),
            "SecMaster answered",
        ),
    ],
)
def test_what_is_refused_is_named_by_its_status_and_by_who_refused_it(
    error: SecMasterError, expected: tuple[str, ...], absent: str
) -> None:
    answer = FailedAnswer.of(error)
    trouble = Trouble(kind=TroubleKind.SECMASTER, since=NOW, where="main", answer=answer)
    text = troubles.began(ENGLISH, trouble, DueTasks(), recurs=False).text
    for part in expected:
        assert part in text
    assert absent == "-" or absent not in text


def test_the_networks_cause_stands_in_the_place_of_the_advice_about_networks() -> None:
    error = SECMASTER.unreachable("the proxy http://10.0.0.1 can't be reached: correct X_PROXY")
    answer = FailedAnswer.of(error)
    trouble = Trouble(kind=TroubleKind.SECMASTER, since=NOW, where="main", answer=answer)
    text = troubles.began(ENGLISH, trouble, DueTasks(), recurs=False).text
    assert "*Cause, and what to do:* `the proxy http://10.0.0.1 can't be reached: correct" in text
    assert troubles.advice(ENGLISH, answer) not in text
    assert text.count("SecMaster can't be reached") == 1


def test_an_answer_without_a_message_is_told_by_its_status() -> None:
    error = Reply(SECMASTER, 503, "", {}).error(Unavailable, "")
    assert troubles.quoted_answer(ENGLISH, FailedAnswer.of(error)) == (
        "SecMaster answered: `HTTP 503`."
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [("accesslimited", "Allow this machine's address"), ("token_revoked", "reload or restart")],
)
def test_what_to_do_about_a_token_goes_by_slacks_code(code: str, expected: str) -> None:
    trouble = Trouble(kind=TroubleKind.SLACK_TOKEN, since=NOW, code=code)
    assert expected in troubles.began(ENGLISH, trouble, DueTasks(), recurs=False).text


@pytest.mark.parametrize(
    ("expiring", "name", "advice"),
    [
        (Expiring.IAM_PASSWORD, "The bot's IAM password", "`IAM_PASSWORD`, and reload"),
        (Expiring.SECMASTER_CA_FILE, "A certificate in `SECMASTER_CA_FILE`", "restart the bot"),
        (Expiring.SLACK_CA_FILE, "A certificate in `SLACK_CA_FILE`", "that need it fail"),
        (Expiring.SECMASTER_CERTIFICATE, "SecMaster's own certificate", "Ask whoever runs"),
    ],
)
def test_what_expires_is_named_with_what_to_do_about_it(
    expiring: Expiring, name: str, advice: str
) -> None:
    trouble = Trouble(kind=TroubleKind.EXPIRY, since=NOW, where=expiring, ends_at=NOW)
    text = troubles.began(ENGLISH, trouble, DueTasks(), recurs=False).text
    assert text.startswith(f"🚨 *{name} expires soon.*")
    assert advice in text
    assert (
        f"{name.replace('A certificate', 'The certificate')} was renewed"
        in troubles.over(ENGLISH, trouble, NOW).text
    )


def test_iam_in_trouble_is_waited_for_and_is_not_called_secmaster() -> None:
    answer = FailedAnswer.of(Reply(IAM, 503, "r1", {}).error(Unavailable, ""))
    assert secmaster_sentence(ENGLISH, answer).startswith("The bot can't get its credentials")
    assert (
        troubles.quoted_answer(ENGLISH, answer)
        == "The sign-in service answered: `HTTP 503`. Request ID: `r1`."
    )
    assert troubles.advice(ENGLISH, answer).startswith("Wait")
