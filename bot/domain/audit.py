"""What the audit has of an operation: how an attempt went, and how the operation ended.

And which of its records somebody asks for.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from bot.domain.objects import Value
from bot.domain.operations import Outcome, StandingOperation

SPANS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}

# The actor's id in a record of whoever starts the process, or may send it a signal.
OPERATOR = "operator"
# That in the record of what SecMaster did by itself.
SECMASTER = "secmaster"


class AuditOutcome(StrEnum):
    """What became of an attempt; the texts are recorded for people, so they never change.

    ALLOWED: it may be sent. REFUSED: the policy said no, before the acknowledgement or right before
    the write. LOST: another came first. COUNTED: an approval that waits for others.
    REVOKED: an approval that no longer counts, since its giver may not give it any more. DONE,
    FAILED and UNKNOWN are the ends of what was ALLOWED, FAILED also that of what never was.
    RESULT: what came of what was DONE, once the run had ended that it retried or let continue.
    """

    ALLOWED = "allowed"
    REFUSED = "refused"
    LOST = "lost"
    COUNTED = "counted"
    WITHDRAWN = "withdraw"
    DECLINED = "refuse"
    REVOKED = "struck"
    LAPSED = "lapsed"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """How an operation ended, as far as the audit tells: its reason, and not SecMaster's message.

    ``holder`` is the operation that had come first, as it was then.
    """

    outcome: Outcome
    holder: StandingOperation | None = None


# The words by which records are asked for, and the outcomes that each stands for.
OUTCOME_WORDS: dict[str, tuple[AuditOutcome, ...]] = {
    "done": (AuditOutcome.DONE,),
    "refused": (AuditOutcome.REFUSED,),
    "failed": (AuditOutcome.FAILED,),
    "unknown": (AuditOutcome.UNKNOWN,),
    "pending": (AuditOutcome.COUNTED, AuditOutcome.ALLOWED),
    "withdrawn": (AuditOutcome.WITHDRAWN, AuditOutcome.REVOKED),
    "declined": (AuditOutcome.DECLINED,),
    "expired": (AuditOutcome.LAPSED,),
    "lost": (AuditOutcome.LOST,),
}


class AuditQuery(Value):
    """Which records somebody asks for; what is "" or None does not matter.

    ``person`` is a Slack id, a name or a part of it, or what they are called in SecMaster;
    ``object`` an id or a part of a name, also of a workflow; ``action`` its name or verb;
    ``outcome`` one of OUTCOME_WORDS. ``until`` is the first moment that is too late. Only records
    about ``target`` count, a reference. Of records as they are listed, latest first, those with a
    number of ``before`` or more were shown already.
    """

    person: str = ""
    object: str = ""
    action: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None
    target: str = ""
    before: int | None = None

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is asked for, by its content; times and numbers are not looked at."""
        outcomes = OUTCOME_WORDS.get(self.outcome, ())
        return (
            (not self.person or any(self._names(each) for each in _people(record)))
            and (not self.object or self._is_about(record))
            and (not self.action or self.action in _action_names(record))
            and (not self.outcome or record.get("outcome") in outcomes)
        )

    def _names(self, person: Mapping[str, Any]) -> bool:
        words = self.person.casefold()
        ids = {str(person.get(key) or "").casefold() for key in ("id", "alias", "identity")}
        names = {part for id_ in ids for part in (id_, id_.partition("@")[0])}
        name = str(person.get("name") or "").casefold()
        return words in names or words in name

    def _is_about(self, record: Mapping[str, Any]) -> bool:
        words, target = self.object.casefold(), str(record.get("target") or "").casefold()
        is_its_id = words in (target, target.rpartition(":")[2])
        return is_its_id or words in object_name(record).casefold()


def object_name(record: Mapping[str, Any]) -> str:
    """Return the name of what a record is about: an object, or the workflow of a mute.

    "" where it has none: earlier versions recorded some changes without it.
    """
    return str(record.get("object_name") or record.get("workflow") or "")


def _people(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield everybody who took part: who acted, for whom, to whom, and who approved with them."""
    actor, terms = record.get("actor") or {}, record.get("terms") or {}
    yield {**actor, "identity": terms.get("identity")}
    yield {"id": terms.get("delegator")}
    if not str(record.get("target") or "").count(":"):  # a person, whose rights are delegated
        yield {"id": record.get("target")}
    for request in (record, record.get("request") or {}, record.get("ended_request") or {}):
        for approval in (*request.get("co_approvers", ()), *request.get("approvals", ())):
            yield approval.get("actor") or {}
            yield {"id": approval.get("delegator")}


def _action_names(record: Mapping[str, Any]) -> tuple[str, str]:
    name = str(record.get("action") or "")
    return name, name.rpartition(".")[2]


def read_edge(text: str, now: datetime, zone: tzinfo, *, is_end: bool) -> datetime:
    """Read where a period begins or ends: a day, a time, or a span before now such as 7d or 12h.

    What says no zone is in ``zone``. A day at the end is in the period as a whole. Raises
    ValueError.
    """
    word = text.strip().lower()
    if span := re.fullmatch(r"([0-9]{1,5})([dhm])", word):
        return now - int(span[1]) * SPANS[span[2]]
    today = now.astimezone(zone).date()
    days = {"today": today, "yesterday": today - timedelta(days=1)}
    if word in days or re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
        day = days.get(word) or date.fromisoformat(word)
        day = day + timedelta(days=1) if is_end else day
        return datetime.combine(day, time(), zone)
    at = datetime.fromisoformat(text.strip().upper())
    return at if at.tzinfo else at.replace(tzinfo=zone)
