"""The main job: somebody decides, and the card and its thread say so."""

from bot.sandbox.secmaster import seed
from tests.town import ALICE, SOC, Town


async def test_a_click_on_approve_goes_through_to_secmaster_and_back(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said
    assert len(town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1
    await town.slack.until(lambda: not town.buttons(ts))
