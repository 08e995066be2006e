"""Any value that SecMaster may send is read, and times are written as it wants them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.secmaster import (
    CommandType,
    Instance,
    InstancePage,
    InstanceStatus,
    QueryType,
    Task,
    TaskAction,
    TaskPage,
    TaskStatus,
)
from bot.secmaster.values import moment, stamp

CHINA = timezone(timedelta(hours=8))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def objects_like(model: type[Task] | type[Instance]) -> st.SearchStrategy[dict[str, Any]]:
    names = [field.alias or name for name, field in model.model_fields.items()]
    return st.dictionaries(st.sampled_from([*names, "topology"]), JSON)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-08-19T14:53:42.424Z+0800", datetime(2025, 8, 19, 14, 53, 42, 424000, CHINA)),
        ("2025-08-19T14:53:42Z+08:00", datetime(2025, 8, 19, 14, 53, 42, 0, CHINA)),
        ("2025-08-19T14:53:42.424Z", datetime(2025, 8, 19, 14, 53, 42, 424000, UTC)),
        ("2025-08-19T14:53:42+0800", datetime(2025, 8, 19, 14, 53, 42, 0, CHINA)),
        ("2025-08-19T14:53:42", datetime(2025, 8, 19, 14, 53, 42, 0, UTC)),
        (1755586422424, datetime(2025, 8, 19, 6, 53, 42, 424000, UTC)),
        (1755586422, datetime(2025, 8, 19, 6, 53, 42, 0, UTC)),
        ("1755586422424", datetime(2025, 8, 19, 6, 53, 42, 424000, UTC)),
    ],
)
def test_a_time_is_read_in_every_form_it_is_written(text: object, expected: datetime) -> None:
    time = moment(text)
    assert time == expected
    assert time.utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "soon",
        "Z+0800",
        None,
        0,
        -1,
        True,
        [],
        {},
        float("nan"),
        float("inf"),
        10**400,
        "9" * 99,
    ],
)
def test_a_time_that_cannot_be_read_is_no_time(garbage: object) -> None:
    assert moment(garbage) is None


@given(JSON)
def test_reading_a_time_never_fails_and_never_loses_the_offset(value: object) -> None:
    time = moment(value)
    assert time is None or time.tzinfo is not None


def test_a_time_is_sent_with_the_stray_z_and_its_offset() -> None:
    assert (
        stamp(datetime(2025, 8, 19, 14, 53, 42, 424999, CHINA)) == "2025-08-19T14:53:42.424Z+0800"
    )


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - hypothesis wants them naive
def test_a_time_sent_reads_back_to_the_millisecond(naive: datetime) -> None:
    time = naive.replace(tzinfo=CHINA)
    read = moment(stamp(time))
    assert read
    assert timedelta() <= time - read < timedelta(milliseconds=1)


def test_a_time_without_an_offset_is_not_sent() -> None:
    with pytest.raises(ValueError, match="offset"):
        stamp(datetime(2025, 8, 19))  # noqa: DTZ001 - the mistake being made


def test_a_task_from_the_documentation_is_read_whole() -> None:
    task = Task.model_validate(
        {
            "id": "3e4c170e",
            "name": "test task",
            "create_time": "2025-08-19T14:53:42.424Z+0800",
            "due_date": "2025-09-03T14:53:42.398Z+0800",
            "business_type": "PLAYBOOKNODEAPPROVE",
            "attachment_id_list": ["a1", "a2"],
            "comments": [
                {"id": "c1", "message": "好", "user_id": "u", "user_name": "n", "time": 1755586422}
            ],
            "due_handle": "",
            "status": "waiting",
            "never_heard_of": {"x": 1},
        }
    )
    assert task.status == TaskStatus.WAITING
    assert task.create_time == datetime(2025, 8, 19, 14, 53, 42, 424000, CHINA)
    assert task.attachment_id_list == ("a1", "a2")
    assert task.comments[0].message == "好"
    assert task.comments[0].time == datetime(2025, 8, 19, 6, 53, 42, 0, UTC)
    assert task.update_time is None
    assert task.creator_name == ""


def test_missing_null_and_wrong_fields_read_as_empty() -> None:
    task = Task.model_validate(
        {"id": "t", "name": None, "note": 5, "comments": "none", "attachment_id_list": None}
    )
    assert (task.id, task.name, task.note) == ("t", "", "")
    assert (task.comments, task.attachment_id_list) == ((), ())


def test_a_status_nobody_has_heard_of_is_kept() -> None:
    assert Task.model_validate({"status": "postponed"}).status == "postponed"


def test_one_broken_row_leaves_the_others_readable() -> None:
    page = TaskPage.of(3, [{"id": "a"}, "broken", {"id": "c", "comments": [None, {"id": "k"}]}])
    assert [task.id for task in page.tasks] == ["a", "", "c"]
    assert [comment.id for comment in page.tasks[2].comments] == ["", "k"]


def test_a_count_that_is_missing_is_at_least_what_is_there() -> None:
    assert InstancePage.of(0, [{"id": "a"}, {"id": "b"}]).total == 2


def test_half_a_surrogate_pair_does_not_make_a_task_unreadable() -> None:
    assert Task.model_validate({"name": "ok \ud83d"}).name == "ok ?"


@given(objects_like(Task))
def test_any_object_can_be_read_as_a_task(fields: dict[str, Any]) -> None:
    task = Task.model_validate(fields)
    assert Task.model_validate_json(task.model_dump_json()) == task


@given(objects_like(Instance))
def test_any_object_can_be_read_as_an_instance(fields: dict[str, Any]) -> None:
    Instance.model_validate(fields)


def test_an_instance_is_read_with_its_nodes() -> None:
    instance = Instance.model_validate(
        {
            "id": "i1",
            "workflow": {"id": "w", "name": "封禁", "name_en": "Block", "version": "v3"},
            "dataclass": {"id": "d", "name": "Alert", "en_name": "Alert"},
            "playbook": None,
            "status": "FAILED",
            "retry_count": "2",
            "topology": {
                "audit_logs": [
                    {
                        "action_name": "one",
                        "status": "FINISHED",
                        "succeed": True,
                        "input": {"a": "值"},
                    },
                    {"action_name": "two", "status": "FINISHED", "succeed": False, "output": "x"},
                    {"action_name": "three", "status": "FAILED", "error_msg": "no"},
                ]
            },
        }
    )
    assert instance.dataclass_.name == "Alert"
    assert instance.playbook.name == ""
    assert instance.retry_count == 2
    assert instance.nodes[0].input == '{"a": "值"}'
    assert instance.nodes[1].output == "x"
    assert instance.nodes[2].succeed is None
    assert instance.failed_node == instance.nodes[1]


def test_an_instance_without_a_failure_has_no_failed_node() -> None:
    nodes = {"audit_logs": [{"status": "RUNNING"}, {"status": "FINISHED", "succeed": True}]}
    assert Instance.model_validate({"id": "i", "topology": nodes}).failed_node is None


def test_a_node_that_failed_by_status_is_the_failed_one() -> None:
    nodes = {"audit_logs": [{"status": InstanceStatus.FAILED, "action_name": "block"}]}
    failed_node = Instance.model_validate({"topology": nodes}).failed_node
    assert failed_node
    assert failed_node.action_name == "block"


@pytest.mark.parametrize("topology", [None, "", [], {}, {"audit_logs": None}, {"audit_logs": "x"}])
def test_an_instance_without_a_topology_has_no_nodes(topology: object) -> None:
    assert Instance.model_validate({"id": "i", "topology": topology}).nodes == ()


@pytest.mark.parametrize("garbage", [None, "many", [], {}, 1.5, True])
def test_a_retry_count_that_is_no_number_is_zero(garbage: object) -> None:
    assert Instance.model_validate({"retry_count": garbage}).retry_count == 0


def test_what_is_sent_uses_the_documented_words() -> None:
    assert set(TaskAction) == {
        "CONTINUE",
        "TERMINATE",
        "ADD_COMMENT",
        "DELETE_COMMENT",
        "ADD_ATTACHMENT",
        "DELETE_ATTACHMENT",
    }
    assert set(CommandType) == {
        "ActionInstanceRetryCommand",
        "ActionInstanceTerminateCommand",
        "ActionInstanceDebugCommand",
    }
    assert set(QueryType) == {"my_todo", "all_handled"}
