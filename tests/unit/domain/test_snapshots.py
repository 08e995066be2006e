"""What of an object matters to whoever decides, and what of it is news to them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import snapshots
from bot.domain.cards import ButtonValue
from bot.domain.objects import ObjectKind, Ref
from bot.domain.snapshots import Snapshot
from bot.secmaster import Instance, Task, TaskComment
from tests.support.examples import examples
from tests.support.samples import FAILED_PLAYBOOK, NOW

SEEN = Task(
    id="t-1",
    name="Isolate",
    status="waiting",
    description="why",
    due_date=datetime(2026, 3, 1, tzinfo=UTC),
    due_handle="CONTINUE",
    comments=(TaskComment(id="c-1", message="first", user_name="Lin"),),
)
RUN = Instance.model_validate(
    {
        "id": "i-1",
        "name": "Phishing",
        "status": "FAILED",
        "retry_count": 1,
        "workflow": {"name": "Phishing", "version": "v3"},
        "topology": {
            "audit_logs": [
                {
                    "action_id": "n-2",
                    "action_name": "Block",
                    "status": "FAILED",
                    "error_msg": "late",
                }
            ]
        },
    }
)
LATER = datetime(2026, 3, 2, tzinfo=UTC)
MARK = "(Slack U0ALICE), ref 0a1b2c"
OWN = f"I looked\n— Alice {MARK}, in #soc (C0SOC), https://x.example/1"
texts = st.text(max_size=30) | st.sampled_from(["\ud800", "\0", "", "x" * 5000])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "finished"),
        ("name", "Isolate db"),
        ("description", "a drill"),
        ("due_date", LATER),
        ("due_date", None),
        ("due_handle", "INTERRUPT"),
        ("approver", "Ana"),
        ("approveuser_name", "Ana"),
        ("view_parameters", "[1]"),
        ("handle_parameters", "[1]"),
        ("business_type", "PLAYBOOKPUBLISH"),
        ("related_object", "Host wipe"),
        ("notes", "7"),
        ("note", "7"),
        ("attachment_id_list", ("a-1",)),
    ],
)
def test_what_matters_is_in_the_digest_and_is_told_as_one_change(field: str, value: object) -> None:
    changed = SEEN.model_copy(update={field: value})
    assert snapshots.decision_fingerprint(changed) != snapshots.decision_fingerprint(SEEN)
    assert len(snapshots.changes(SEEN, changed)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("update_time", LATER), ("modifier_name", "Ana"), ("create_time", LATER)],
)
def test_what_does_not_matter_changes_no_digest(field: str, value: object) -> None:
    changed = SEEN.model_copy(update={field: value})
    assert snapshots.decision_fingerprint(changed) == snapshots.decision_fingerprint(SEEN)
    assert snapshots.changes(SEEN, changed) == ()
    assert snapshots.rendered_fingerprint(changed) != snapshots.rendered_fingerprint(SEEN)


@pytest.mark.parametrize("update", [{"status": "RETRYING"}, {"retry_count": 2}, {"name": "x"}])
def test_of_a_run_its_state_and_its_retries_matter(update: dict[str, object]) -> None:
    changed = RUN.model_copy(update=update)
    assert snapshots.decision_fingerprint(changed) != snapshots.decision_fingerprint(RUN)
    [change] = snapshots.changes(RUN, changed)
    assert change.label == next(iter(update))


def test_an_attempt_of_a_playbooks_run_is_the_same_however_exactly_its_end_is_stated() -> None:
    exact, rough, later = (
        FAILED_PLAYBOOK.model_copy(update={"end_time": NOW + timedelta(milliseconds=number)})
        for number in (424, 0, 1000)
    )
    exact_fingerprint = snapshots.decision_fingerprint(exact)
    assert snapshots.decision_fingerprint(rough) == exact_fingerprint
    assert snapshots.decision_fingerprint(later) != exact_fingerprint


def test_comments_come_go_and_are_rewritten() -> None:
    edited = SEEN.model_copy(update={"comments": (comment("c-1", "other"), comment("c-2", "new"))})
    changes = [(each.before, each.after) for each in snapshots.changes(SEEN, edited)]
    assert changes == [("Lin: first", ""), ("", "Lin: other"), ("", "Lin: new")]


def test_what_the_reader_said_from_here_is_no_news_to_them_and_is_to_others() -> None:
    changed = SEEN.model_copy(update={"comments": (*SEEN.comments, comment("c-2", OWN))})
    assert snapshots.decision_fingerprint(changed) != snapshots.decision_fingerprint(SEEN)
    assert snapshots.changes(SEEN, changed, [MARK]) == ()
    assert len(snapshots.changes(SEEN, changed)) == 1
    assert len(snapshots.changes(SEEN, changed, ["(Slack U0ALICE), ref ffffff"])) == 1


@pytest.mark.parametrize("copy", [OWN, f"stop\n{OWN}", f"{OWN}\nbut stop", MARK])
def test_a_copy_of_what_the_reader_said_is_news(copy: str) -> None:
    both = (*SEEN.comments, comment("c-2", OWN), comment("c-3", copy))
    changed = SEEN.model_copy(update={"comments": both})
    [change] = snapshots.changes(SEEN, changed, [MARK])
    assert change.after == f"Lin: {copy}"


@examples(100)
@given(texts, texts, st.lists(texts, max_size=3))
def test_what_is_kept_is_read_back_as_it_was(
    name: str, description: str, messages: list[str]
) -> None:
    comments = tuple(comment(f"c-{number}", text) for number, text in enumerate(messages))
    task = Task(id="t-1", name=name, description=description, comments=comments)
    try:
        stored = snapshots.stored(task)
    except UnicodeEncodeError:
        pytest.fail("half a character keeps a task from being decided")
    parsed = snapshots.parse("task", stored.snapshot)
    assert parsed
    assert snapshots.decision_fingerprint(parsed) == stored.fingerprint
    assert snapshots.changes(task, parsed) == ()


def test_where_nothing_was_kept_nothing_is_read() -> None:
    assert snapshots.parse("task", "") is None


@examples(100)
@given(st.sampled_from([SEEN, RUN]), st.sampled_from(["task", "instance"]))
def test_a_button_carries_its_picture_and_is_read_back(
    snapshot: Snapshot, kind: ObjectKind
) -> None:
    button = ButtonValue(
        ref=Ref(kind=kind, id="9" * 64, workspace="w" * 64),
        decision_fingerprint=snapshots.decision_fingerprint(snapshot),
    )
    assert ButtonValue.parse(str(button)) == button
    assert len(f"task.terminate|{button}") <= 2000
    assert ButtonValue.parse(str(button.ref)) == ButtonValue(ref=button.ref)


@examples(200)
@given(st.text(max_size=60) | st.from_regex(r"2:task:main:t-1:[0-9a-fg]{30,34}", fullmatch=True))
def test_any_value_of_a_button_is_read_or_refused(value: str) -> None:
    button = ButtonValue.parse(value)
    assert button is None or str(button) == value


def comment(id_: str, message: str) -> TaskComment:
    return TaskComment(id=id_, message=message, user_name="Lin")
