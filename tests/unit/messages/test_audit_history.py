"""What the audit log holds of one object."""

from typing import Any

import pytest
from hypothesis import given

from bot.domain.audit import AuditOutcome
from bot.domain.objects import Ref
from bot.messages import audit_history
from tests.support.samples import ENGLISH
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import SOME, audit_entries, ids, several

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@SOME
@given(ids, several(audit_entries))
def test_any_story_can_be_told(id_: str, entries: list[dict[str, Any]]) -> None:
    assert_slack_takes(audit_history.history(ENGLISH, Ref(kind="task", id=id_), entries))


def test_each_outcome_has_its_words() -> None:
    assert audit_history.OUTCOMES.keys() == {outcome.value for outcome in AuditOutcome}
