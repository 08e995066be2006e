"""Which workflow a mute is about, and what falls under it."""

from datetime import UTC, datetime, timedelta

from bot.domain.mutes import Mute, mute_key, mute_of, workflow_name
from bot.secmaster import Instance, Named, PlaybookInstance, PlaybookRef, Task, WorkflowRef

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "Isolate host"
MUTE = Mute(
    workspace="main",
    key=mute_key(NAME),
    name=NAME,
    actor_id="U0ALICE",
    at=NOW,
    until=NOW + timedelta(hours=2),
)


def test_a_workflows_failures_and_tasks_are_muted_and_no_playbook_of_its_name() -> None:
    run = Instance(workflow=WorkflowRef(name="isolate  HOST"), playbook=Named(name="Response"))
    task = Task(business_type="WORKFLOWNODEAPPROVE", related_object=NAME)
    for snapshot in (run, task):
        assert mute_of([MUTE], "main", snapshot) == MUTE
        assert mute_of([MUTE], "elsewhere", snapshot) is None
    playbook_run = PlaybookInstance(name=NAME, playbook=PlaybookRef(name=NAME))
    playbook_task = Task(business_type="PLAYBOOKNODEAPPROVE", related_object=NAME)
    for other in (playbook_run, playbook_task):
        assert workflow_name(other) == ""
        assert mute_of([MUTE], "main", other) is None
