"""What protects a decision, as people see it: several people, what has changed, who may and why."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.messages.blocks import Viewer
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, seed
from tests.support.browser import Sit, decide, message, open_thread, press
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL
from tests.support.timeouts import quick_retries

GRAVE = """
[[rules]]
name = "grave"
actions = ["task.approve"]
roles = ["approver"]
{}
"""
BESIDES = f"""
[break_glass]
channel = "{ONCALL}"
[rights]
audit = ["approver"]
delegate = ["approver"]
"""
TWO = GRAVE.format('approvals = 2\nbreak_glass = ["oncall"]') + POLICY + BESIDES
SHORT = GRAVE.format('approvals = 2\nexpires = "3s"') + POLICY + BESIDES
TYPED = GRAVE.format('confirm = "type-name"') + POLICY + BESIDES
NAME = "Isolate host ecs-web-07"
TASK = f"/secmaster {{}} {seed.TASK_ISOLATE}"


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", TWO))


async def write(page: Page, words: str) -> None:
    box = page.get_by_role("main").get_by_role("textbox")
    await box.fill(words)
    await box.press("Enter")


def decisions(environment: BotEnvironment) -> list[str]:
    writes = environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    return [one.body["action"] for one in writes if one.body["action"] != "ADD_COMMENT"]


async def test_two_people_approve_and_each_sees_how_far_it_is(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    alice, bob = await asyncio.gather(sit(ALICE), sit(BOB))
    await decide(alice, ts, "Approve")
    await expect(message(bob, ts)).to_contain_text("Approvals to approve: 1 of 2")
    await expect(message(bob, ts)).to_contain_text("@Alice")
    await press(alice, ts, "Withdraw my approval")
    await expect(message(bob, ts)).not_to_contain_text("1 of 2")
    await decide(alice, ts, "Approve")
    await expect(message(bob, ts)).to_contain_text("Approvals to approve: 1 of 2")
    assert decisions(environment) == []
    await decide(bob, ts, "Approve")
    await expect(message(alice, ts)).to_contain_text("Approved by @Bob and @Alice")
    await expect(message(alice, ts).get_by_role("button", name="Approve")).to_have_count(0)
    thread = await open_thread(alice, ts)
    await expect(thread).to_contain_text("rule 1 “grave” · HTTP 200 · request")
    assert decisions(environment) == ["CONTINUE"]


async def test_a_refusal_asks_first_and_ends_it(environment: BotEnvironment, sit: Sit) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    alice, bob = await asyncio.gather(sit(ALICE), sit(BOB))
    await decide(alice, ts, "Approve")
    await expect(message(bob, ts)).to_contain_text("Approvals to approve: 1 of 2")
    await press(bob, ts, "Decline request")
    form = bob.get_by_role("dialog")
    await expect(form).to_contain_text("This cancels all approvals given so far.")
    await form.get_by_label("Reason").fill("the host is a decoy")
    await form.get_by_role("button", name="Decline request").click()
    await expect(message(alice, ts)).not_to_contain_text("1 of 2")
    await expect(message(alice, ts)).to_contain_text("@Bob declined the request to approve")
    thread = await open_thread(alice, ts)
    await expect(thread).to_contain_text(
        "@Bob declined the request to approve this task. The approval by @Alice no longer"
    )
    assert decisions(environment) == []


@pytest.mark.parametrize("rules", [SHORT], ids=["three-seconds"])
async def test_what_too_few_wanted_in_time_lapses_by_itself(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    await decide(page, ts, "Approve")
    await expect(message(page, ts)).to_contain_text("Approvals to approve: 1 of 2")
    await expect(message(page, ts)).not_to_contain_text("1 of 2", timeout=15_000)
    thread = await open_thread(page, ts)
    await expect(thread).to_contain_text(
        "The request to approve this task expired. Approvals to approve: 1 of 2 (@Alice)"
    )


async def test_who_breaks_the_glass_says_why_and_a_channel_is_told(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    alice, carol = await asyncio.gather(sit(ALICE), sit(CAROL))
    await decide(alice, ts, "Approve")
    await expect(message(carol, ts)).to_contain_text("1 of 2")
    await expect(message(carol, ts)).not_to_contain_text("Emergency override")
    task = Ref(kind="task", id=seed.TASK_ISOLATE)
    viewer = Viewer(may_override=frozenset({"task.approve"}))
    private = await environment.private_card(CAROL, task, viewer)
    await press(carol, private, "Emergency override")
    form = carol.get_by_role("dialog")
    await expect(form).to_contain_text("Emergency override: you decide alone.")
    await form.get_by_label("Reason").fill("it spreads, Bob does not answer")
    await form.get_by_role("button", name="Approve").click()
    await expect(message(alice, ts)).to_contain_text("Approved by @Carol (emergency override)")
    oncall = await sit(ALICE, ONCALL)
    announced = (
        oncall.get_by_role("main").get_by_role("listitem").filter(has_text="Emergency override by")
    )
    await expect(announced).to_contain_text("it spreads, Bob does not answer")
    await expect(announced.get_by_role("link", name="Isolate host")).to_be_visible()
    assert decisions(environment) == ["CONTINUE"]


@pytest.mark.parametrize("rules", [POLICY], ids=["plain"])
async def test_what_has_changed_is_shown_and_decided_upon_again(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    await expect(message(page, ts).get_by_role("button", name="Approve")).to_be_visible()
    comment = {"action": "ADD_COMMENT", "comment": "wait: it is the wrong host"}
    environment.secmaster.world.update_task(
        seed.TASK_ISOLATE, comment, Person("console-eve", "Eve")
    )
    await decide(page, ts, "Approve")
    item = page.get_by_role("listitem").filter(has_text="Changed since you looked")
    await expect(item).to_contain_text("New comment: Eve: wait: it is the wrong host")
    await expect(item).to_contain_text("Only visible to you")
    assert decisions(environment) == []
    await item.get_by_role("button", name="Approve").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Approve").click()
    await expect(message(page, ts)).to_contain_text("Approved by @Alice")
    assert decisions(environment) == ["CONTINUE"]


@pytest.mark.parametrize("rules", [TYPED], ids=["type-name"])
async def test_the_gravest_asks_for_the_name_to_be_typed(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    await decide(page, ts, "Approve")
    form = page.get_by_role("dialog")
    await form.get_by_label("Type the task's name").fill("isolate something else")
    await form.get_by_role("button", name="Approve").click()
    await expect(form).to_contain_text("The name doesn't match.")
    assert decisions(environment) == []
    await form.get_by_label("Type the task's name").fill(f" {NAME.lower()}")
    await form.get_by_role("button", name="Approve").click()
    await expect(message(page, ts)).to_contain_text("Approved by @Alice")


async def test_why_tells_the_rule_and_audit_the_story(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    await write(page, TASK.format("why"))
    item = page.get_by_role("listitem").filter(has_text="What you can do with")
    await expect(item).to_contain_text("Allowed by rule 1 “grave”: approver (@soc-team)")
    await expect(item).to_contain_text("Needs 2 approvals within 1 hr.")
    await decide(page, ts, "Approve")
    await expect(message(page, ts)).to_contain_text("Approvals to approve: 1 of 2")
    await write(page, TASK.format("audit"))
    story = page.get_by_role("listitem").filter(has_text=f"Audit records of {NAME}")
    await expect(story).to_contain_text(f"@Alice approved {NAME}; more approvals are needed.")
    dave = await sit(DAVE)
    await write(dave, TASK.format("audit"))
    refused = dave.get_by_role("listitem").filter(
        has_text="Only approver (@soc-team) can read the audit."
    )
    await expect(refused).to_be_visible()


async def test_rights_are_lent_and_both_names_stand_in_the_thread(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    alice, dave = await asyncio.gather(sit(ALICE), sit(DAVE))
    await write(alice, "/secmaster delegate @dave for 2h")
    lent = alice.get_by_role("listitem").filter(has_text="@Dave has your permissions until")
    await expect(lent).to_contain_text("Your roles: approver")
    await press(dave, ts, "Terminate")
    form = dave.get_by_role("dialog")
    await form.get_by_label("Reason").fill("as Alice asked")
    await form.get_by_role("button", name="Terminate").click()
    await expect(message(dave, ts)).to_contain_text("Terminated by @Dave (on behalf of @Alice)")
    thread = await open_thread(alice, ts)
    await expect(thread).to_contain_text("Terminated by @Dave (on behalf of @Alice)")
    assert decisions(environment) == ["TERMINATE"]


@pytest.mark.parametrize("rules", [POLICY], ids=["plain"])
@pytest.mark.parametrize(
    "timeouts", [quick_retries(pauses=(0.1,), budget=30)], indirect=True, ids=["patient"]
)
async def test_what_nobody_knows_yet_stands_on_the_card_until_it_is_known(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    card = message(page, ts)
    lost = Fault(on="UpdateTask", applied=True, hold=True, hang_up=True)
    await environment.secmaster.faults.set(lost)
    await decide(page, ts, "Approve")
    await environment.secmaster.faults.until_held("UpdateTask")
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await environment.secmaster.faults.clear("UpdateTask")
    await expect(card).to_contain_text(
        "It is not known yet whether the approval by @Alice took effect"
    )
    await expect(card).to_contain_text("SecMaster can't be read now")
    await environment.secmaster.faults.clear()
    await expect(card).to_contain_text("Approved by @Alice")
    thread = await open_thread(page, ts)
    await expect(thread).to_contain_text("It is not known yet whether the approval by")
    assert decisions(environment) == ["CONTINUE"]
