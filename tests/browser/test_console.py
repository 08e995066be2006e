"""The SecMaster console, as a person sees and uses it."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.secmaster import CommandType, SecMaster, SigningAuth, TaskAction, Unavailable
from tests.support.browser import Open

HALF, PHONE = (640, 800), (390, 844)
LIN = Person("user-lin", "Lin Yue")
ISOLATE = f"#task/{seed.TASK_ISOLATE}"
SCRIPT = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
async def client(secmaster: SecMasterSandbox) -> AsyncIterator[SecMaster]:
    """The project's own client, as the bot has it."""
    async with SecMaster(
        endpoint=secmaster.url,
        project_id="demo-project",
        workspace_id="demo-workspace",
        auth=SigningAuth("demo-ak", "demo-sk", project_id="demo-project"),
    ) as client:
        yield client


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def row(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("link", name=name)


def part(page: Page, heading: str) -> Locator:
    """The part of a detail under a heading."""
    title = page.get_by_role("heading", name=heading, exact=True)
    return page.locator("section.part").filter(has=title)


async def test_tasks_are_listed_and_a_change_shows_by_itself(
    secmaster: SecMasterSandbox, client: SecMaster, open_page: Open
) -> None:
    page = await open_page(secmaster.url)
    tasks = region(page, "Tasks")
    await expect(tasks.get_by_role("listitem")).to_have_count(15)
    await expect(tasks.get_by_role("listitem").first).to_contain_text("Overdue by 24")
    isolate = row(tasks, "Isolate host ecs-web-07")
    await expect(isolate).to_contain_text("Waiting")
    await client.update_task(seed.TASK_ISOLATE, action=TaskAction.CONTINUE)
    await expect(isolate).to_contain_text("Finished")
    await expect(page.get_by_role("link", name="Tasks 11 waiting")).to_be_visible()
    await tasks.get_by_role("button", name="Finished 3").click()
    await expect(tasks.get_by_role("listitem")).to_have_count(3)
    await tasks.get_by_label("Filter tasks by text").fill("ECS-WEB")
    await expect(tasks.get_by_role("listitem")).to_have_count(1)
    await expect(tasks.get_by_role("status")).to_have_text("1 of 15 shown")


async def test_a_decision_is_confirmed_and_told(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/{ISOLATE}")
    await page.get_by_role("button", name="Terminate…").click()
    question = page.get_by_role("dialog", name="Terminate this task?")
    await question.get_by_role("button", name="Cancel").click()
    assert secmaster.world.task(seed.TASK_ISOLATE)["status"] == "waiting"
    await page.get_by_role("button", name="Terminate…").click()
    await question.get_by_label("As").fill("Ana Sousa")
    await question.get_by_role("button", name="Terminate").click()
    await expect(question).to_be_hidden()
    await expect(part(page, "History")).to_contain_text("Terminated by Ana Sousa in the console")
    await expect(page.get_by_role("button", name="Terminate…")).to_be_hidden()


async def test_a_decision_that_comes_too_late_is_refused_in_words(
    secmaster: SecMasterSandbox, browser: Browser
) -> None:
    # A page of its own: Chromium itself complains of every answer that is a refusal.
    page = await browser.new_page()
    await page.goto(f"{secmaster.url}/{ISOLATE}")
    await page.get_by_role("button", name="Continue…").click()
    secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "TERMINATE"}, LIN)
    late = page.get_by_role("dialog", name="Continue this task?")
    await late.get_by_role("button", name="Continue").click()
    await expect(late.get_by_role("alert")).to_have_text("the task is already canceled")
    await late.get_by_role("button", name="Cancel").click()
    await expect(part(page, "History")).to_contain_text("Terminated by Lin Yue in the console")


async def test_a_signed_request_shows_with_its_signer_body_and_answer(
    secmaster: SecMasterSandbox, client: SecMaster, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/{ISOLATE}")
    await expect(part(page, "Requests")).to_contain_text("No request yet.")
    await client.show_task(seed.TASK_ISOLATE)
    await client.update_task(
        seed.TASK_ISOLATE, action=TaskAction.ADD_COMMENT, comment="seen <b>it</b>"
    )
    requests = part(page, "Requests")
    await expect(requests.get_by_role("listitem")).to_have_count(2)
    await requests.get_by_label("Writes only").check()
    await expect(requests.get_by_role("listitem")).to_have_count(1)
    write = requests.get_by_role("listitem").first
    await expect(write).to_contain_text(re.compile("PUT.*UpdateTask.*200.*took effect.*demo-ak"))
    await write.get_by_text("UpdateTask").click()
    await expect(write).to_contain_text('"comment": "seen <b>it</b>"')
    await expect(write).to_contain_text(secmaster.requests[-1].request_id)
    await expect(part(page, "History")).to_contain_text(
        "Commented by secmaster-bot through the API (aksk demo-ak)"
    )
    await page.get_by_role("link", name="Requests 2").click()
    everything = region(page, "Requests")
    await everything.get_by_text("UpdateTask").click()
    await everything.get_by_role("link", name="Isolate host ecs-web-07").click()
    await expect(page.get_by_role("heading", name="Isolate host ecs-web-07")).to_be_focused()


async def test_an_odd_request_does_not_keep_the_others_from_the_list(
    secmaster: SecMasterSandbox, client: SecMaster, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/#requests")
    await page.request.put(f"{secmaster.url}/v1/odd", data={"action": {"toString": None}})
    await page.request.put(f"{secmaster.url}/v1/long", data={"action": "long " * 1000})
    await client.show_task(seed.TASK_ISOLATE)
    item = region(page, "Requests").get_by_role("listitem")
    await expect(item).to_have_count(3)
    await expect(item.filter(has_text=re.compile("(long ?){16}"))).to_have_count(1)
    await expect(item.filter(has_text=re.compile("(long ?){17}"))).to_have_count(0)


async def test_an_instance_is_made_to_fail_and_shows_where_and_why(
    secmaster: SecMasterSandbox, client: SecMaster, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/#instance/{seed.INSTANCE_RUNNING}")
    await page.get_by_role("button", name="Make it fail…").click()
    question = page.get_by_role("dialog")
    await question.get_by_label("Error").fill("disk is full")
    await question.get_by_role("button", name="Make it fail").click()
    node = part(page, "Nodes").get_by_role("listitem").filter(has_text="Respond")
    await expect(node).to_contain_text("Failed")
    await expect(node.get_by_text("disk is full")).to_be_visible()
    await expect(part(page, "History")).to_contain_text("Failed at Respond in the console")
    await client.update_workflow_instance(seed.INSTANCE_RUNNING, command_type=CommandType.RETRY)
    await expect(row(page, "Collect evidence")).to_contain_text("Finished")
    await expect(part(page, "History")).to_contain_text("Retried by secmaster-bot")


async def test_a_task_is_added_and_its_name_runs_nothing(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(secmaster.url)
    await page.get_by_role("button", name="Add a task…").click()
    question = page.get_by_role("dialog", name="Add a task")
    await question.get_by_label("Name").fill(SCRIPT)
    await question.get_by_label("Due in hours").fill("-30")
    await question.get_by_label("Related instance").select_option(label="Contain ecs-web-07")
    await question.get_by_role("button", name="Add task").click()
    await row(page, SCRIPT).click()
    await expect(page.get_by_role("heading", name=SCRIPT)).to_be_visible()
    await expect(region(page, "The task")).to_contain_text("Overdue by 30")
    await row(page, "Contain ecs-web-07").click()
    await expect(row(part(page, "About"), SCRIPT)).to_be_visible()
    await expect(page).to_have_title("SecMaster console · local stand-in")
    await expect(page.locator("img")).to_have_count(0)


async def test_a_task_is_deleted_after_a_question(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/{ISOLATE}")
    await page.get_by_role("button", name="Delete…").click()
    question = page.get_by_role("dialog", name="Delete this task?")
    await expect(question).to_contain_text("Isolate host ecs-web-07")
    await question.get_by_role("button", name="Cancel").click()
    assert secmaster.world.task(seed.TASK_ISOLATE)["status"] == "waiting"
    await page.get_by_role("button", name="Delete…").click()
    await question.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text(f"There is no task {seed.TASK_ISOLATE}.")).to_be_visible()
    await expect(region(page, "Tasks").get_by_role("listitem")).to_have_count(14)
    assert seed.TASK_ISOLATE not in secmaster.world.tasks


async def test_a_run_is_deleted_after_a_question(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/#instance/{seed.INSTANCE_FAILED}")
    await page.get_by_role("button", name="Delete…").click()
    question = page.get_by_role("dialog", name="Delete this instance?")
    await question.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text(f"There is no instance {seed.INSTANCE_FAILED}.")).to_be_visible()
    assert seed.INSTANCE_FAILED not in secmaster.world.instances


async def test_ten_thousand_objects_are_let_in_and_found_again(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(secmaster.url)
    await page.get_by_role("button", name="Many at once…").click()
    question = page.get_by_role("dialog", name="Let many arrive")
    await question.get_by_label("Tasks").fill("10000")
    await question.get_by_label("Failed instances").fill("1000")
    await question.get_by_role("button", name="Let them arrive").click()
    tasks = region(page, "Tasks")
    await expect(page.get_by_role("link", name="Tasks 10012 waiting")).to_be_visible()
    await expect(page.get_by_role("link", name="Instances 1003 failed")).to_be_visible()
    await expect(tasks.get_by_role("listitem")).to_have_count(200)
    await expect(tasks.get_by_role("status")).to_have_text(
        "The newest 200 are shown; there are 9,815 more."
    )
    await tasks.get_by_label("Filter tasks by text").fill("ecs-web")
    await expect(tasks.get_by_role("listitem")).to_have_count(1)
    await expect(tasks.get_by_role("status")).to_have_text("1 of 10015 shown")
    await row(tasks, "Isolate host ecs-web-07").click()
    await tasks.get_by_label("Filter tasks by text").fill("")
    await expect(tasks.get_by_role("listitem")).to_have_count(200)
    await expect(page.get_by_role("heading", name="Isolate host ecs-web-07")).to_be_visible()
    await row(page, "Contain ecs-web-07").click()
    await expect(page.get_by_role("heading", name="Contain ecs-web-07")).to_be_visible()
    runs = region(page, "Instances")
    await runs.get_by_role("button", name="Failed 1003").click()
    await expect(runs.get_by_role("status")).to_have_text(
        "The newest 200 are shown; there are 803 more."
    )
    await expect(runs.get_by_role("listitem").first).to_contain_text("Failed")


async def test_a_fault_is_switched_on_met_and_switched_off(
    secmaster: SecMasterSandbox, client: SecMaster, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/#faults")
    await page.get_by_label("Endpoint").select_option("ShowTask")
    await page.get_by_label("Status").select_option("503")
    await page.get_by_label("Retry-After, in seconds").fill("7")
    await page.get_by_role("button", name="Switch on").click()
    await page.get_by_label("What it does").select_option("Hang up")
    await page.get_by_role("button", name="Switch on").click()
    on = page.get_by_role("list", name="Switched on").get_by_role("listitem")
    await expect(on).to_have_count(2)
    await expect(on.first).to_contain_text(
        "ShowTask answers 503 with Retry-After: 7, until it is switched off."
    )
    with pytest.raises(Unavailable):
        await client.show_task(seed.TASK_ISOLATE)
    await on.first.get_by_role("button", name="Switch off").click()
    await expect(on).to_have_count(1)
    await page.get_by_role("button", name="Switch all off").click()
    await expect(page.get_by_text("No fault is on")).to_be_visible()
    assert (await client.show_task(seed.TASK_ISOLATE)).id == seed.TASK_ISOLATE
    await secmaster.faults.set(Fault(on="*", delay=1, times=3))
    await expect(on).to_have_text(re.compile("Every endpoint answers 1 s late, for the next 3"))


async def test_half_typed_text_and_what_was_opened_survive_changes(
    secmaster: SecMasterSandbox, client: SecMaster, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/{ISOLATE}")
    await client.show_task(seed.TASK_ISOLATE)
    opened = part(page, "Requests").get_by_role("listitem").filter(has_text="ShowTask")
    await opened.get_by_text("ShowTask").click()
    comment = page.get_by_label("Add a comment")
    await comment.press_sequentially("half of a th")
    await client.update_task(seed.TASK_ISOLATE, action=TaskAction.CONTINUE)
    await expect(part(page, "History")).to_contain_text("Continued by secmaster-bot")
    await expect(part(page, "Requests").get_by_role("listitem")).to_have_count(2)
    await expect(comment).to_be_focused()
    await comment.press_sequentially("ought")
    await expect(comment).to_have_value("half of a thought")
    await expect(opened.get_by_text("Request id")).to_be_visible()
    await page.get_by_role("button", name="Comment").click()
    await expect(part(page, "Comments")).to_contain_text("half of a thought")
    await expect(comment).to_have_value("")


@pytest.mark.parametrize("size", [HALF, PHONE])
async def test_a_narrow_window_shows_one_pane_at_a_time(
    secmaster: SecMasterSandbox, open_page: Open, size: tuple[int, int]
) -> None:
    page = await open_page(secmaster.url, size, dark=True)
    await row(page, "Isolate host ecs-web-07").click()
    await expect(page.get_by_role("heading", name="Isolate host ecs-web-07")).to_be_focused()
    await expect(region(page, "Tasks")).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("heading", name="Isolate host ecs-web-07")).to_be_visible()
    await page.get_by_role("link", name="‹ Tasks").click()
    await expect(row(page, "Isolate host ecs-web-07")).to_be_focused()
    for tab in ("Instances", "Requests", "Faults", "Tasks"):
        await page.get_by_role("navigation").get_by_role("link", name=tab).click()
        await expect(region(page, tab)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]


async def test_a_task_is_decided_with_the_keyboard_alone(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(secmaster.url)
    await expect(row(page, "Isolate host ecs-web-07")).to_be_visible()
    await tab_to(page, "Isolate host ecs-web-07")
    await page.keyboard.press("Enter")
    await tab_to(page, "Continue…")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog").get_by_label("As")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(part(page, "History")).to_contain_text("Continued by Console user in the console")
    await expect(page.get_by_role("heading", name="Isolate host ecs-web-07")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(row(page, "Isolate host ecs-web-07")).to_be_focused()


async def tab_to(page: Page, text: str) -> None:
    for _ in range(40):
        await page.keyboard.press("Tab")
        if (await page.evaluate("document.activeElement.textContent")).startswith(text):
            return
    pytest.fail(f"Tab does not lead to {text}")


async def test_things_arrive_on_a_clock_that_is_set_here(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(secmaster.url)
    await page.get_by_role("button", name="Arrivals…").click()
    await page.get_by_label("A task every … seconds").fill("0.05")
    await page.get_by_role("button", name="Set").click()
    await expect(row(region(page, "Tasks"), "Isolate host ecs-db-01")).to_be_visible()
    await page.get_by_role("button", name="Arrivals: on…").click()
    await page.get_by_label("A task every … seconds").fill("0")
    await page.get_by_role("button", name="Set").click()
    await expect(page.get_by_role("button", name="Arrivals…")).to_be_visible()
