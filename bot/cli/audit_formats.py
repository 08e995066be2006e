"""Write audit records: as lines of JSON, as CSV for a spreadsheet, or as a report for people.

Knows what a record is made of, and neither where records come from nor where the text goes.
"""

import csv
import html
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, TextIO

from bot.domain.actions import MAX_REASON
from bot.domain.audit import object_name
from bot.domain.objects import Ref
from bot.messages.audit_history import AuditedRecord, Story, story
from bot.messages.catalogue import Catalogue
from bot.messages.markup import HtmlMarkup, MarkdownMarkup, plain_lines, zoned

Record = Mapping[str, Any]

BOM = "\ufeff"  # by it Excel sees that a CSV file is UTF-8
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

MIN_STAGES = 2  # from so many on an approval's stage is named
CATALOGUE = Catalogue.english()  # the command line's language


def people(approvals: Iterable[Record], stages: Sequence[Record] = ()) -> str:
    """Return the people of approvals, each with name, id and reason: "Bob (U0BOB): seen".

    Where there are several ``stages``, each has its stage too: "Bob (U0BOB), stage 1 of 2 (lead)".
    """
    texts = []
    for approval in approvals:
        actor = approval.get("actor") or {}
        text = f"{actor.get('name') or actor.get('id')} ({actor.get('id')})"
        if stage := stage_text(stages, approval.get("stage")):
            text = f"{text}, stage {stage}"
        reason = approval.get("reason")
        texts.append(f"{text}: {reason}" if reason else text)
    return "; ".join(texts)


def approvals_of(record: Record) -> list[Record]:
    """Return the approvals that a record names, its own actor's left out."""
    request = record.get("request") or record.get("ended_request") or {}
    approvals = [*(record.get("co_approvers") or ()), *(request.get("approvals") or ())]
    actor = (record.get("actor") or {}).get("id")
    return [each for each in approvals if (each.get("actor") or {}).get("id") != actor]


def stages_of(record: Record) -> Sequence[Record]:
    """Return the stages of approvals that a record names."""
    request = record.get("request") or record.get("ended_request") or {}
    return request.get("stages") or (record.get("terms") or {}).get("stages") or ()


def needed_of(record: Record) -> int | None:
    """Return how many approvals a record asks for, of all stages; None where it says nothing."""
    return sum(stage["count"] for stage in stages_of(record)) or None


def stage_text(stages: Sequence[Record], number: Any) -> str:
    """Name the stage of this number, from 0, as "1 of 2 (lead)"; "" where there is only one."""
    if len(stages) < MIN_STAGES or not isinstance(number, int) or number >= len(stages):
        return ""
    roles = CATALOGUE.one_of(stages[number].get("roles") or ())
    return f"{number + 1} of {len(stages)} ({roles})"


def part(*names: str) -> Callable[[Record], Any]:
    """Return what reads a field of a record, or a field of one of its fields."""

    def read(record: Record) -> Any:
        value: Any = record
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return read


def ref_part(name: str) -> Callable[[Record], Any]:
    """Return what reads a part of the reference to a record's object; "" where it has none."""

    def read(record: Record) -> Any:
        ref = Ref.parse(str(record.get("target") or ""))
        return getattr(ref, name) if ref else ""

    return read


def target_of(record: Record) -> str:
    """Return the id of a record's object, or what else it is about."""
    ref = Ref.parse(str(record.get("target") or ""))
    return ref.id if ref else str(record.get("target") or "")


def parameters_of(record: Record) -> str:
    params = record.get("params") or {}
    return "; ".join(f"{name}={value}" for name, value in params.items())


# The columns of the CSV, which docs/audit.md lists: each with what reads it from a record.
COLUMNS: dict[str, Callable[[Record], Any]] = {
    "number": part("number"),
    "time": part("at"),
    "outcome": part("outcome"),
    "action": part("action"),
    "intent": part("intent"),
    "object_kind": ref_part("kind"),
    "workspace": ref_part("workspace"),
    "object_id": target_of,
    "object_name": object_name,
    "person_id": part("actor", "id"),
    "person_name": part("actor", "name"),
    "secmaster_user": part("terms", "identity"),
    "on_behalf_of": part("terms", "delegator"),
    "emergency_override": lambda record: (
        "yes" if (record.get("terms") or {}).get("break_glass_channel") else ""
    ),
    "approvals_needed": needed_of,
    "approval_stage": lambda record: stage_text(stages_of(record), record.get("stage")),
    "other_approvers": lambda record: people(approvals_of(record), stages_of(record)),
    "until": part("until"),
    "for": part("for"),
    "reason": part("reason"),
    "rule": part("rule"),
    "why": lambda record: record.get("detail") or record.get("reason_code"),
    "parameters": parameters_of,
    "channel": part("location", "channel"),
    "status_before": part("status_before"),
    "status_after": part("status_after"),
    "http_status": part("status"),
    "request_id": part("request_id"),
    "seconds": part("duration"),
    "operation_id": part("operation_id"),
    "policy": part("terms", "policy"),
    "card_seen": part("decision_fingerprint"),
    "hash": part("hash"),
}


def write_jsonl(records: Iterable[Record], file: TextIO) -> None:
    """Write each record as one line of JSON, with nothing changed in it."""
    for record in records:
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        file.write(f"{text}\n")


def write_csv(
    records: Iterable[Record], file: TextIO, *, with_bom: bool = True, delimiter: str = ","
) -> None:
    """Write a heading and a row for each record; no cell can be taken for a formula."""
    if with_bom:
        file.write(BOM)
    rows = csv.writer(file, delimiter=delimiter)
    rows.writerow(COLUMNS)
    for record in records:
        cells = [cell_text(read(record)) for read in COLUMNS.values()]
        rows.writerow(f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells)


def cell_text(value: Any) -> str:
    """Return text as it is, and nothing for what is missing."""
    return "" if value is None or value == "" else str(value)


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands at the top of a report: its filters with their labels, when it was made.

    ``head`` is the hash of the audit's last record then, with its number.
    """

    filters: Iterable[tuple[str, str]]
    made_at: datetime
    zone: tzinfo
    head: tuple[int, str]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """All of it as labels and values."""
        number, head = self.head
        return [
            *self.filters,
            (CATALOGUE.gettext("Times"), str(self.zone)),
            (CATALOGUE.gettext("Made"), zoned(self.made_at, self.zone)),
            (CATALOGUE.gettext("Audit head"), f"#{number} {head}"),
        ]


def write_report(records: Iterable[AuditedRecord], file: TextIO, heading: Heading) -> None:
    """Write a report in Markdown: a section for each decision."""
    markup = MarkdownMarkup(heading.zone)
    file.write(f"# {CATALOGUE.gettext('Audit report')}\n\n")
    file.writelines(f"- {label}: {markup.text(value)}\n" for label, value in heading.facts)
    count = 0
    for audited in records:
        file.write(markdown_section(story(CATALOGUE, markup, audited), markup))
        count += 1
    file.write(f"\n{closing(count)}\n")


def markdown_section(decision: Story, markup: MarkdownMarkup) -> str:
    """Return one decision in Markdown."""
    title = " · ".join(filter(None, (decision.when, decision.object_name)))
    lines = ["", f"## {title}", "", f"{decision.sign} {decision.headline}", ""]
    if decision.reason:
        lines += [f"> {markup.text(line, MAX_REASON)}" for line in plain_lines(decision.reason)]
        lines.append("")
    lines += [f"- {label}: {value}" for label, value in facts_of(decision)]
    if decision.card:
        lines.append(f"- {CATALOGUE.gettext('The card showed')}:")
        lines += [f"  - {label}: {value}" for label, value in decision.card]
    if decision.card_note:
        lines.append(f"- {decision.card_note}")
    return "\n".join(lines) + "\n"


def facts_of(decision: Story) -> list[tuple[str, str]]:
    """Return the facts of a decision, its object first."""
    if not decision.object_name:
        return [*decision.facts]
    return [
        (CATALOGUE.gettext("Object"), f"{decision.object_name} · {decision.object_id}"),
        *decision.facts,
    ]


def closing(count: int) -> str:
    """Say how many decisions a report tells of, so that a part of it is seen to be one."""
    return CATALOGUE.ngettext(
        "End of the report: {count} entry.", "End of the report: {count} entries.", count
    )


STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d1c1d; background: #fff; margin: 2rem auto;
  max-width: 48rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1rem; margin: 0 0 .25rem; color: #555; }
article { border-top: 1px solid #ddd; padding: 1rem 0; break-inside: avoid; }
dl { display: grid; grid-template-columns: 11rem 1fr; gap: .1rem 1rem; margin: .5rem 0 0; }
dt { color: #555; } dd { margin: 0; } p { margin: 0 0 .25rem; }
blockquote { margin: .5rem 0; padding-left: .75rem; border-left: 3px solid #bbb;
  white-space: pre-wrap; }
section.card { background: #f6f6f6; border-radius: 4px; padding: .5rem .75rem; margin-top: .5rem; }
section.card h3 { font-size: .85rem; margin: 0; color: #555; }
code { font-family: ui-monospace, monospace; font-size: .9em; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .35rem; } }
@media print { body { margin: 0; max-width: none; font-size: 11pt; }
  section.card { border: 1px solid #ddd; } }
"""


def write_html(records: Iterable[AuditedRecord], file: TextIO, heading: Heading) -> None:
    """Write a page that needs nothing else, and prints: an article for each decision."""
    title = html.escape(CATALOGUE.gettext("Audit report"))
    markup = HtmlMarkup(heading.zone)
    file.write(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
    file.write(definitions([(label, markup.text(value)) for label, value in heading.facts]))
    count = 0
    for audited in records:
        file.write(html_article(story(CATALOGUE, markup, audited)))
        count += 1
    file.write(f"<p>{html.escape(closing(count))}</p>\n</body>\n</html>\n")


def html_article(decision: Story) -> str:
    """Return one decision in HTML."""
    title = " · ".join(filter(None, (decision.when, decision.object_name)))
    parts = [f"<article>\n<h2>{title}</h2>\n<p>{decision.sign} {decision.headline}</p>\n"]
    if decision.reason:
        reason = "\n".join(html.escape(line) for line in plain_lines(decision.reason))
        parts.append(f"<blockquote>{reason}</blockquote>\n")
    parts.append(definitions(facts_of(decision)))
    if decision.card:
        title = html.escape(CATALOGUE.gettext("The card showed"))
        parts.append(
            f'<section class="card"><h3>{title}</h3>\n{definitions(decision.card)}</section>\n'
        )
    if decision.card_note:
        parts.append(f"<p>{html.escape(decision.card_note)}</p>\n")
    parts.append("</article>\n")
    return "".join(parts)


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Return labels with their values, which are HTML already."""
    rows = "".join(f"<dt>{label}</dt><dd>{value}</dd>\n" for label, value in pairs)
    return f"<dl>\n{rows}</dl>\n"
