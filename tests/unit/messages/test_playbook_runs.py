"""The rows of a playbook run's card: one for each run within it."""

from bot.messages import RenderContext
from bot.messages.playbook_runs import run_rows
from tests.support.samples import ENGLISH, FAILED_PLAYBOOK, NOW, PLAYBOOK_RUN


def test_what_went_wrong_comes_first_of_the_error_of_a_run_within() -> None:
    error = "Traceback:\n" + "  File x\n" * 200 + "KeyError: 'ip'\n"
    actions = tuple(
        action.model_copy(update={"log": action.log.model_copy(update={"error_msg": error})})
        for action in FAILED_PLAYBOOK.actions or ()
    )
    run = FAILED_PLAYBOOK.model_copy(update={"actions": actions})
    first, _ = run_rows(RenderContext(PLAYBOOK_RUN, NOW, ENGLISH), run)
    assert "```KeyError: 'ip'" in str(first.to_dict()["text"]["text"])
