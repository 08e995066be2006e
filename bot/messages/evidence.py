"""Say what SecMaster knows around a task or a run, or that it can't be read.

All of a finding's text may be an attacker's: it stands in code spans, where nothing is a link.
"""

from collections.abc import Mapping

from bot.domain.evidence import FINDINGS, NOT_ASKED, Subject, class_path
from bot.messages.catalogue import N_, Catalogue
from bot.messages.fields import FieldWords
from bot.messages.text import code, inline
from bot.secmaster import Evidence, Finding, HandleStatus, Severity, Unread, Verification

TITLE = 200  # characters of a finding's title
SEVERITIES: dict[str, str] = {
    Severity.TIPS: N_("Tips"),
    Severity.LOW: N_("Low"),
    Severity.MEDIUM: N_("Medium"),
    Severity.HIGH: N_("High"),
    Severity.FATAL: N_("Fatal"),
}
HANDLE_STATUSES: dict[str, str] = {
    HandleStatus.OPEN: N_("Open"),
    HandleStatus.BLOCK: N_("Blocked"),
    HandleStatus.CLOSED: N_("Closed"),
}
VERIFICATIONS: dict[str, str] = {
    Verification.UNKNOWN: N_("Not verified"),
    Verification.TRUE_POSITIVE: N_("True positive"),
    Verification.FALSE_POSITIVE: N_("False positive"),
}
# By their own names: those of the fields of tasks and runs are others.
FINDING_WORDS: Mapping[str, FieldWords[Finding]] = {
    "severity": FieldWords(N_("Severity"), values=SEVERITIES),
    "handle_status": FieldWords(N_("Handling"), values=HANDLE_STATUSES),
    "verification_state": FieldWords(N_("Verification"), values=VERIFICATIONS),
    "resources": FieldWords(N_("Affected resources")),
    "addresses": FieldWords(N_("Addresses")),
    "category": FieldWords(N_("Category")),
    "data_source": FieldWords(N_("Source")),
    "simulation": FieldWords(N_("Drill")),
}
EVIDENCE_WORDS: Mapping[str, FieldWords[Evidence]] = {
    "asset_levels": FieldWords(N_("Levels of assets")),
    "aop_type": FieldWords(N_("Workflow kind")),
}
UNREAD: dict[str, str] = {
    Subject.ALERT: N_("The alert can't be read: {answer}."),
    Subject.INCIDENT: N_("The incident can't be read: {answer}."),
    Subject.FINDING: N_("The alert or incident can't be read: {answer}."),
    Subject.RUN: N_("The run that waits can't be read: {answer}."),
    Subject.PLAYBOOK_RUN: N_("The playbook run that waits can't be read: {answer}."),
}
# What a card does not speak of, and a rule may ask about.
UNREAD_AROUND: dict[str, str] = UNREAD | {
    Subject.RESOURCE: N_("An affected resource can't be read: {answer}."),
    Subject.WORKFLOW: N_("The workflow can't be read: {answer}."),
}


def lines(catalogue: Catalogue, evidence: Evidence | None) -> list[str]:
    """Return what a card says of the finding behind its object; [] where nothing is known."""
    if evidence is None:
        return []
    found = [finding_line(catalogue, evidence.finding)] if evidence.finding else []
    unread = [
        f"⚠️ {catalogue.gettext(UNREAD[unread.subject], answer=_answer(catalogue, unread))}"
        for unread in evidence.unread
        if unread.subject in UNREAD
    ]
    return found + unread


def finding_line(catalogue: Catalogue, finding: Finding) -> str:
    """Name a finding, and say how severe it is."""
    title = code(finding.title or finding.id, TITLE)
    severity = inline(finding.severity, 40) or "—"
    if finding.severity in SEVERITIES:
        severity = catalogue.gettext(SEVERITIES[finding.severity])
    match FINDINGS.get(class_path(finding.dataclass_)):
        case Subject.ALERT:
            return catalogue.gettext("*Alert* {title} · {severity}", title=title, severity=severity)
        case Subject.INCIDENT:
            return catalogue.gettext(
                "*Incident* {title} · {severity}", title=title, severity=severity
            )
        case _:
            return catalogue.gettext(
                "*Object* {title} · {severity}", title=title, severity=severity
            )


def _answer(catalogue: Catalogue, unread: Unread) -> str:
    if unread.status:
        return f"HTTP {unread.status}"
    if unread.code == NOT_ASKED:
        return catalogue.gettext("SecMaster does not say which it is")
    return catalogue.gettext("SecMaster did not answer")


def unread_sentence(catalogue: Catalogue, unread: Unread) -> str:
    """Say what could not be read around an object, and how SecMaster answered."""
    sentence = UNREAD_AROUND.get(unread.subject)
    if sentence is None:
        return catalogue.gettext("The alert or incident has not been read yet.")
    return catalogue.gettext(sentence, answer=_answer(catalogue, unread))
