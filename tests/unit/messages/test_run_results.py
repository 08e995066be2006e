"""What came of an operation: in its thread, on the card of its task, and in the audit."""

from datetime import UTC

import pytest

from bot.domain.actions import BY_NAME
from bot.domain.objects import Ref
from bot.domain.run_results import (
    BlockCoverage,
    BlockResult,
    FailedBlock,
    RunResult,
    RunStatus,
)
from bot.messages import run_results
from bot.messages.markup import MarkdownMarkup
from tests.support.samples import ENGLISH, NOW

APPROVE, RETRY = BY_NAME["task.approve"], BY_NAME["instance.retry"]
HOSTILE = "<!channel> `x` ``` <https://evil.example|x>"
RUN = Ref(kind="instance", id="i-1")
URL = "https://slack.example/archives/C0SOC/p12"
FINISHED = RunResult(status=RunStatus.FINISHED, run=RUN, name="Contain web-07", seconds=130, at=NOW)
FAILED = FINISHED.model_copy(
    update={"status": RunStatus.FAILED, "node": "Isolate host", "error": "quota exceeded"}
)
PARTLY = BlockResult(
    target="203.0.113.7",
    done=("WAF", "CFW"),
    failed=(FailedBlock(defense="VPC", reason="quota"),),
)
WHOLE = BlockResult(target="198.51.100.1", done=("WAF",))


def thread(result: RunResult, action: str = "task.approve", url: str = "") -> str:
    return run_results.thread_message(ENGLISH, BY_NAME[action], "U0CAROL", result, url).text


def block_lines(*blocks: BlockResult) -> list[str]:
    return run_results.block_lines(ENGLISH, FINISHED.model_copy(update={"blocks": blocks}))


def test_a_thread_is_told_how_a_run_ended_after_a_decision() -> None:
    assert thread(FINISHED) == "✅ *The run finished after 2 min: Contain web-07.*"
    assert thread(FAILED, url=URL) == (
        "<@U0CAROL> 🔴 *The run failed at Isolate host after 2 min: "
        f"<{URL}|Contain web-07>.*\n```quota exceeded```"
    )
    terminated = FINISHED.model_copy(update={"status": RunStatus.TERMINATED})
    assert thread(terminated) == (
        "<@U0CAROL> ⛔ *The run was terminated after 2 min: Contain web-07.*"
    )
    running = FINISHED.model_copy(update={"status": RunStatus.STILL_RUNNING, "seconds": 1860})
    assert thread(running) == (
        "<@U0CAROL> ⏳ *The run is still running after 31 min: Contain web-07. "
        "Its end will be posted here, or after a day that it is no longer followed.*"
    )


def test_a_run_of_a_playbook_is_called_so() -> None:
    playbook = Ref(kind="playbook", id="p-1")
    failed = FAILED.model_copy(update={"run": playbook, "name": ""})
    assert "*The playbook run failed at Isolate host after 2 min: p-1.*" in thread(failed)


def test_the_next_task_is_named_with_a_link_to_its_card() -> None:
    task = Ref(kind="task", id="t-2")
    waiting = FINISHED.model_copy(
        update={"status": RunStatus.NEXT_TASK, "next_task": task, "next_name": "Close & report"}
    )
    assert thread(waiting, url=URL) == (
        f"<@U0CAROL> ➡️ *Next: <{URL}|Close &amp; report> is waiting.*"
    )
    assert run_results.card_lines(ENGLISH, waiting, {str(task): URL}) == [
        f"➡️ Next: <{URL}|Close &amp; report> is waiting."
    ]


def test_how_a_retry_ended_names_the_run_and_who_retried_it() -> None:
    assert thread(FINISHED, "instance.retry") == (
        "<@U0CAROL> ✅ *Retry finished* after 2 min: Contain web-07."
    )
    assert thread(FAILED, "instance.retry") == (
        "<@U0CAROL> 🔴 *Retry failed again* at Isolate host after 2 min: Contain web-07."
        "\n```quota exceeded```"
    )
    terminated = FINISHED.model_copy(update={"status": RunStatus.TERMINATED, "name": ""})
    assert thread(terminated, "instance.retry") == (
        "<@U0CAROL> ⛔ The run was terminated 2 min after the retry: i-1."
    )
    playbook = terminated.model_copy(update={"run": Ref(kind="playbook", id="p-1")})
    assert thread(playbook, "playbook.retry") == (
        "<@U0CAROL> ⛔ The playbook run was terminated 2 min after the retry: p-1."
    )


def test_blocks_are_said_by_target_and_line_of_defense() -> None:
    result = FINISHED.model_copy(update={"blocks": (WHOLE, PARTLY)})
    assert thread(result) == (  # who decided is called, since a block failed
        "<@U0CAROL> ✅ *The run finished after 2 min: Contain web-07.*\n"
        "⚠️ `203.0.113.7` is blocked on WAF and CFW. "
        "`203.0.113.7` is not blocked on VPC: `quota`.\n"
        "✅ `198.51.100.1` is blocked on WAF."
    )
    failed = BlockResult(target="203.0.113.9", failed=(FailedBlock(defense="VPC"),))
    pending = BlockResult(target="203.0.113.8", pending=("CFW",))
    bare = BlockResult(target="203.0.113.6")
    assert block_lines(bare, pending, failed) == [
        "❌ `203.0.113.9` is not blocked on VPC.",
        "⏳ No result yet for `203.0.113.6`.",
        "⏳ No result yet for `203.0.113.8` on CFW.",
    ]


def test_many_blocks_are_summed_up_and_those_that_failed_come_first() -> None:
    lines = block_lines(*[WHOLE] * 8, PARTLY)
    assert lines[0].startswith("⚠️ `203.0.113.7` is blocked on WAF and CFW.")
    assert lines[3:] == ["1 of 9 blocks failed."]
    assert block_lines(*[WHOLE] * 9)[3:] == ["9 blocks, none failed."]


def test_blocks_that_have_no_result_yet_are_never_said_not_to_have_failed() -> None:
    pending, bare = BlockResult(target="203.0.113.8", pending=("CFW",)), BlockResult(target="x")
    lines = block_lines(*[WHOLE] * 8, pending, bare)
    assert [line[0] for line in lines[:3]] == ["⏳", "⏳", "✅"]
    assert lines[3:] == ["2 of 10 blocks are still pending."]
    assert block_lines(*[WHOLE] * 8, PARTLY, bare)[3:] == [
        "1 of 10 blocks failed. 1 of 10 blocks are still pending."
    ]


@pytest.mark.parametrize(
    ("coverage", "sentences"),
    [
        (BlockCoverage(runs=1, runs_read=1, records=9, records_read=9), ["9 blocks, none failed."]),
        (
            BlockCoverage(runs=1, runs_read=1, records=45, records_read=20),
            ["20 of 45 block records were read."],
        ),
        (
            BlockCoverage(runs=7, runs_read=3, records=9, records_read=9),
            ["Blocks were looked up for 3 of 7 workflow runs."],
        ),
    ],
)
def test_of_blocks_that_were_not_all_read_it_is_said_how_many_were(
    coverage: BlockCoverage, sentences: list[str]
) -> None:
    result = FINISHED.model_copy(update={"blocks": (WHOLE,) * 9, "block_coverage": coverage})
    assert run_results.block_lines(ENGLISH, result)[3:] == sentences
    audit = run_results.audit_text(ENGLISH, MarkdownMarkup(UTC), result)
    assert audit.endswith(f" · {sentences[0]}") is not coverage.is_complete
    none = FINISHED.model_copy(update={"block_coverage": coverage})
    assert run_results.block_lines(ENGLISH, none) == ([] if coverage.is_complete else sentences)


@pytest.mark.parametrize("action", ["task.approve", "instance.retry"])
def test_a_run_whose_end_nobody_saw_is_said_to_be_followed_no_more(action: str) -> None:
    gone = FINISHED.model_copy(update={"status": RunStatus.GONE})
    assert thread(gone, action) == (
        "<@U0CAROL> ❓ *SecMaster no longer has the run: Contain web-07. It is no longer followed, "
        "and how it went on is unknown.*"
    )
    lost = FINISHED.model_copy(update={"status": RunStatus.NO_END, "seconds": 86460})
    assert thread(lost, action) == (
        "<@U0CAROL> ❓ *No end of the run was seen in 1 day: Contain web-07. It is no longer "
        "followed: look at it in SecMaster.*"
    )


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize("action", ["task.approve", "instance.retry"])
def test_nothing_of_a_run_is_markup(status: RunStatus, action: str) -> None:
    block = BlockResult(
        target=HOSTILE, done=(HOSTILE,), failed=(FailedBlock(defense=HOSTILE, reason=HOSTILE),)
    )
    hostile = FAILED.model_copy(
        update={
            "status": status,
            "name": HOSTILE,
            "next_name": HOSTILE,
            "node": HOSTILE,
            "error": HOSTILE,
            "blocks": (block,),
        }
    )
    texts = [thread(hostile, action), *run_results.card_lines(ENGLISH, hostile, {})]
    for text in texts:
        assert "<!channel>" not in text
        assert "<https://evil" not in text
        assert text.count("```") in (0, 2)


def test_a_card_has_the_line_of_the_error_that_says_what_went_wrong() -> None:
    error = "Traceback\nValueError: quota exceeded"
    result = FAILED.model_copy(update={"error": error, "blocks": (WHOLE,)})
    assert run_results.card_lines(ENGLISH, result, {str(RUN): URL}) == [
        f"🔴 *The run failed at Isolate host after 2 min: <{URL}|Contain web-07>.*",
        "`ValueError: quota exceeded`",
        "✅ `198.51.100.1` is blocked on WAF.",
    ]


def test_the_audit_says_it_in_its_own_markup() -> None:
    result = FAILED.model_copy(update={"blocks": (WHOLE,)})
    assert run_results.audit_text(ENGLISH, MarkdownMarkup(UTC), result) == (
        "🔴 The run failed at Isolate host after 2 min: **Contain web-07**. · quota exceeded · "
        "`198.51.100.1` is blocked on WAF."
    )
