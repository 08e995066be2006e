"""An Enterprise Grid: colleagues of other workspaces take part, and strangers stay out."""

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack.seed import SISTER_TEAM, add_colleague, add_grid
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder

ERIN, FRED, STRANGER = "U0ERIN", "U0FRED", "U0STRANGER"
TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
OTHER = Ref(kind="task", id=seed.TASK_BLOCK_IP)
NARROWED = f'{POLICY}\n[organisation]\nworkspaces = ["T0DEMO", "{SISTER_TEAM}"]\n'


# An app of the whole enterprise has to be told the workspaces.
by_installation = pytest.mark.parametrize(
    "rules", [POLICY, NARROWED], indirect=True, ids=["in", "org"]
)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def slack(slack: SlackRecorder, rules: str) -> SlackRecorder:
    """A Slack whose workspace is a part of an enterprise, with approvers of all kinds."""
    workspace = slack.workspace
    add_grid(workspace, org_wide=rules == NARROWED)
    add_colleague(workspace, FRED, "Fred")
    del workspace.users[FRED]["team_id"]
    workspace.groups["S0SOC"]["users"] += [ERIN, FRED, STRANGER]
    return slack


@by_installation
async def test_colleagues_press_type_and_write_and_strangers_do_not(
    environment: BotEnvironment, secmaster: SecMasterSandbox
) -> None:
    slack = environment.slack
    ts = await environment.card("task", TASK.id, user=ERIN)
    await slack.press(STRANGER, SOC, ts, "task.approve")
    await environment.ephemeral(STRANGER, "People of other organisations or workspaces may not")
    assert secmaster.writes("UpdateTask") == []
    await slack.press(ERIN, SOC, ts, "task.approve")
    assert f"*Approved by <@{ERIN}>" in (await environment.replies(ts))[0]
    await slack.say(FRED, "D0FRED", f"task comment {OTHER.id} seen")
    await environment.posted("D0FRED", "Block IP")  # the task's card, with the outcome below it
    await secmaster.until(lambda: len(secmaster.writes("UpdateTask")) == 2)
    await slack.say(STRANGER, "D0STRANGER", f"task comment {OTHER.id} me too")
    await environment.posted("D0STRANGER", "People of other organisations or workspaces may not")
    assert "Roles: *approver*" in await environment.answer(ERIN, "/secmaster whoami")
    assert "Roles: *approver" in await environment.answer(ALICE, "/secmaster whoami")
    environment.ignore_messages()
