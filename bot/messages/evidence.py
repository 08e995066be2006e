"""Say what SecMaster knows around a task or a run, or that it can't be read.

All of a finding's text may be an attacker's. What is read as prose is defanged, so that nothing in
it is a link; exact values stand in code spans; paragraphs are plain text. The card has a few short
lines of what matters to a decision, and ``evidence_details`` has everything.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from bot.domain.evidence import FINDINGS, NOT_ASKED, Subject, class_path, is_gone
from bot.domain.snapshots import Snapshot
from bot.messages.catalogue import N_, Catalogue
from bot.messages.fields import FieldWords
from bot.messages.text import clip, code, date_token, defang, escape, prose
from bot.secmaster import (
    Connection,
    Evidence,
    Finding,
    FindingResource,
    HandleStatus,
    Resource,
    Severity,
    Unread,
    Verification,
)

TITLE = 120  # characters of a finding's title
ADVICE = 120
VALUE = 80  # of a name, a path or an address
WORD = 40  # of what is mostly one word
NAMED = 2  # users and processes that a card names
ASSET = 30  # characters of an asset's name where there is little room
LONGEST_URL = 500
# What Huawei Cloud's own pages end in, and nobody else's.
HUAWEI_CLOUD = (".huaweicloud.com", ".myhuaweicloud.com", ".huaweicloud.eu", ".myhuaweicloud.eu")
DEFAULT_PROJECT = "default"  # the enterprise project of what was put in none
SEVERITIES: dict[str, str] = {
    Severity.TIPS: N_("Tips"),
    Severity.LOW: N_("Low"),
    Severity.MEDIUM: N_("Medium"),
    Severity.HIGH: N_("High"),
    Severity.FATAL: N_("Fatal"),
}
# Each has another shape: none differs by its colour alone, and none is a status's sign.
SEVERITY_SIGNS: dict[str, str] = {
    Severity.TIPS: "💡",
    Severity.LOW: "🔹",
    Severity.MEDIUM: "🔶",
    Severity.HIGH: "🔺",
    Severity.FATAL: "🔥",
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
FINAL_ANSWERS = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)  # the next one would be the same
LEVELS: dict[str, str] = {
    "0": N_("test asset"),
    "1": N_("general asset"),
    "2": N_("*key asset*"),
}
# By their own names: those of the fields of tasks and runs are others.
FINDING_WORDS: Mapping[str, FieldWords[Finding]] = {
    "title": FieldWords(N_("Alert or incident")),
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
    Subject.ALERT: N_("The alert can't be read."),
    Subject.INCIDENT: N_("The incident can't be read."),
    Subject.FINDING: N_("The alert or incident can't be read."),
    Subject.RUN: N_("The run that waits can't be read."),
    Subject.PLAYBOOK_RUN: N_("The playbook run that waits can't be read."),
}
# What a card does not speak of, and a rule may ask about.
UNREAD_AROUND: dict[str, str] = UNREAD | {
    Subject.RESOURCE: N_("An affected resource can't be read."),
    Subject.WORKFLOW: N_("The workflow can't be read."),
}


def card_lines(catalogue: Catalogue, evidence: Evidence | None) -> list[str]:
    """Return what a card says of the finding behind its object, a line each, the gravest first."""
    finding = evidence.finding if evidence else None
    if evidence is None or finding is None:
        return []
    lines = (
        _head(catalogue, finding),
        _asset_line(catalogue, finding, evidence),
        _connection_line(catalogue, finding),
        _actor_line(catalogue, finding),
        _state_line(catalogue, finding),
    )
    return [line for line in lines if line]


def small_lines(catalogue: Catalogue, evidence: Evidence | None) -> list[str]:
    """Return what a card says of the finding in small print: where it comes from, and advice."""
    finding = evidence.finding if evidence else None
    if finding is None:
        return []
    lines = (_origin_line(catalogue, finding), _advice_line(catalogue, finding))
    return [line for line in lines if line]


def unread_lines(catalogue: Catalogue, evidence: Evidence | None) -> list[str]:
    """Say what can't be read around an object, why, and whether it is tried again."""
    lines = []
    for unread in evidence.unread if evidence else ():
        if unread.subject in UNREAD:
            sentences = [unread_sentence(catalogue, unread)]
            if unread.status not in FINAL_ANSWERS and unread.code != NOT_ASKED:
                sentences.append(catalogue.gettext("It is tried again."))
            lines.append(f"⚠️ {' '.join(sentences)}")
    return lines


def row_facts(catalogue: Catalogue, snapshot: Snapshot) -> list[str]:
    """Return what a row says of the finding behind an object: how severe it is, and the asset."""
    finding = snapshot.evidence.finding if snapshot.evidence else None
    if finding is None:
        return []
    names = [code(name, ASSET) for name in asset_names(finding)]
    facts = [severity(catalogue, finding.severity), catalogue.all_of(names, 1)]
    return [fact for fact in facts if fact]


def plain_facts(catalogue: Catalogue, snapshot: Snapshot) -> list[str]:
    """Return the same as plain text, for what shows no markup."""
    finding = snapshot.evidence.finding if snapshot.evidence else None
    if finding is None:
        return []
    names = [clip(" ".join(defang(name).split()), ASSET) for name in asset_names(finding)]
    is_rated = finding.severity in SEVERITIES
    facts = [severity(catalogue, finding.severity) if is_rated else "", *names[:1]]
    return [fact for fact in facts if fact]


def first_words(catalogue: Catalogue, snapshot: Snapshot) -> str:
    """Return the severity of the finding behind an object, to begin a line with; "" without it."""
    finding = snapshot.evidence.finding if snapshot.evidence else None
    return grade(catalogue, finding.severity) if finding else ""


def severity(catalogue: Catalogue, text: str) -> str:
    """Name a severity, with its sign; "" where SecMaster states none."""
    if text in SEVERITIES:
        return f"{SEVERITY_SIGNS[text]} {catalogue.gettext(SEVERITIES[text])}"
    return prose(text, WORD)


def grade(catalogue: Catalogue, text: str) -> str:
    """Return a severity to begin a line with; "" without one."""
    words = severity(catalogue, text)
    return f"{words} · " if words else ""


def value_text(catalogue: Catalogue, words: Mapping[str, str], text: str) -> str:
    """Return the words for a value of SecMaster's, or itself where there are none."""
    return catalogue.gettext(words[text]) if text in words else prose(text, WORD)


def asset_names(finding: Finding) -> list[str]:
    """Return the names of the resources that a finding is about, or their ids."""
    names = (resource.name or resource.id for resource in finding.resources)
    return [name for name in dict.fromkeys(names) if name.strip()]


def asset_facts(
    catalogue: Catalogue, resource: FindingResource, managed: Resource | None
) -> list[str]:
    """Return what is known of a resource; ``managed`` is what SecMaster manages it as."""
    level = managed.level if managed else ""
    facts = [
        code(resource.name or resource.id, VALUE),
        prose(resource.type, WORD),
        catalogue.gettext(LEVELS[level]) if level in LEVELS else "",
    ]
    project = prose(resource.ep_name or (managed.ep_name if managed else ""), WORD)
    if project and project.casefold() != DEFAULT_PROJECT:
        facts.append(catalogue.gettext("enterprise project {name}", name=project))
    return [fact for fact in facts if fact]


def connection_text(catalogue: Catalogue, connection: Connection, *, domains: bool = False) -> str:
    """Say from where to where a connection goes; "" where no end of it is known.

    Of an end with an address its domain is left out, unless the ``domains`` are wanted too.
    """
    source = _end(connection.src_ip, connection.src_port, connection.src_domain, domains=domains)
    target = _end(connection.dest_ip, connection.dest_port, connection.dest_domain, domains=domains)
    if not source and not target:
        return ""
    match connection.direction.upper():
        case "IN":
            direction = catalogue.gettext("Inbound")
        case "OUT":
            direction = catalogue.gettext("Outbound")
        case _:
            direction = catalogue.gettext("Connection")
    protocol = prose(connection.protocol, 10)
    ends = f"{source or '—'} → {target or '—'}"
    return " ".join(filter(None, (f"*{direction}*", protocol, ends)))


def source_link(catalogue: Catalogue, url: str) -> str:
    """Return a link into Huawei Cloud, and any other web address as it is, without a link.

    An alert's addresses may be an attacker's, and a label does not say where a link leads.
    """
    if not url.isascii() or not url.isprintable() or any(letter in url for letter in ' <>|"`\\'):
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    is_plain = "@" not in parts.netloc and 0 < len(url) <= LONGEST_URL
    if parts.scheme not in ("http", "https") or not host or not is_plain:
        return ""
    if parts.scheme != "https" or not f".{host}".endswith(HUAWEI_CLOUD):
        return code(url, VALUE)
    return f"<{escape(url, 2 * LONGEST_URL)}|{catalogue.gettext('Open in Huawei Cloud')}>"


def labelled_line(catalogue: Catalogue, label: str, values: Iterable[str], most: int) -> str:
    """Return exact values after their label, at most so many of them; "" for none."""
    codes = [code(value, VALUE) for value in dict.fromkeys(values) if value.strip()]
    return f"*{label}* {catalogue.all_of(codes, most)}" if codes else ""


def _head(catalogue: Catalogue, finding: Finding) -> str:
    """Say how severe a finding is, what it is, and that it is a simulation."""
    title = prose(finding.title, TITLE) or code(finding.id, VALUE)
    match FINDINGS.get(class_path(finding.dataclass_)):
        case Subject.ALERT:
            name = catalogue.gettext("*Alert* {title}", title=title)
        case Subject.INCIDENT:
            name = catalogue.gettext("*Incident* {title}", title=title)
        case _:
            name = catalogue.gettext("*Data object* {title}", title=title)
    words = severity(catalogue, finding.severity)
    sign, _, word = words.partition(" ") if finding.severity in SEVERITIES else ("", "", words)
    simulated = finding.simulation.lower() == "true" or finding.type == "SIMULATION"
    parts = (
        f"{sign} *{word}*".lstrip() if word else "",
        name,
        f"🧪 {catalogue.gettext('simulation')}" if simulated else "",
    )
    return " · ".join(filter(None, parts))


def _asset_line(catalogue: Catalogue, finding: Finding, evidence: Evidence) -> str:
    if not finding.resources:
        return ""
    asset = finding.resources[0]
    facts = asset_facts(catalogue, asset, evidence.managed(asset))
    if more := len(finding.resources) - 1:
        facts.append(catalogue.ngettext("{count} more", "{count} more", more))
    return f"*{catalogue.gettext('Asset')}* {' · '.join(facts)}" if facts else ""


def _connection_line(catalogue: Catalogue, finding: Finding) -> str:
    texts = [connection_text(catalogue, each) for each in finding.connections]
    texts = [text for text in dict.fromkeys(texts) if text]
    parts = texts[:1]
    if len(texts) > 1:
        parts.append(catalogue.ngettext("{count} more", "{count} more", len(texts) - 1))
    return " · ".join(parts)


def _actor_line(catalogue: Catalogue, finding: Finding) -> str:
    """Name the users and the processes: who did it, and with what."""
    users = (user.user_name or user.user_id for user in finding.users)
    processes = (process.process_path or process.process_name for process in finding.processes)
    parts = (
        labelled_line(catalogue, catalogue.gettext("User"), users, NAMED),
        labelled_line(catalogue, catalogue.gettext("Process"), processes, NAMED),
    )
    return " · ".join(filter(None, parts))


def _state_line(catalogue: Catalogue, finding: Finding) -> str:
    """Say how often it was seen since when, whether it is true, and how it is handled."""
    parts = []
    if finding.count > 0 and finding.first_observed_time:
        occurrences = catalogue.ngettext(
            "Seen {count} time, {when}",
            "Seen {count} times since {when}",
            finding.count,
            when=date_token(finding.first_observed_time),
        )
        parts.append(occurrences)
    parts.append(value_text(catalogue, VERIFICATIONS, finding.verification_state))
    if handling := value_text(catalogue, HANDLE_STATUSES, finding.handle_status):
        parts.append(f"*{catalogue.gettext('Handling')}* {handling}")
    return " · ".join(filter(None, parts))


def _origin_line(catalogue: Catalogue, finding: Finding) -> str:
    """Name the category and the product that found it, with a link to it there."""
    category = category_text(finding)
    product = prose(finding.data_source.product_name, WORD)
    parts = (category, product, source_link(catalogue, finding.source_url))
    return " · ".join(filter(None, parts))


def category_text(finding: Finding) -> str:
    """Return a finding's category and its type within it."""
    names = dict.fromkeys(
        prose(name, WORD) for name in (finding.category.category, finding.category.type)
    )
    return " / ".join(filter(None, names))


def _advice_line(catalogue: Catalogue, finding: Finding) -> str:
    advice = prose(finding.remediation.recommendation, ADVICE)
    return f"*{catalogue.gettext('Advice')}* {advice}" if advice else ""


def _end(address: str, port: str, domain: str, *, domains: bool) -> str:
    """Return one end of a connection; the port follows an IPv6 address in its brackets."""
    host = address.strip() or domain.strip()
    if not host:
        return ""
    if port.strip():
        host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    other = domain.strip() if domains and address.strip() else ""
    return f"{code(host, VALUE)} ({code(other, VALUE)})" if other else code(host, VALUE)


def _reason(catalogue: Catalogue, unread: Unread) -> str:
    """Say why something can't be read, and what to do about it where an operator can."""
    match unread.status:
        case HTTPStatus.FORBIDDEN:
            return catalogue.gettext(
                "SecMaster answered HTTP 403: the bot's account lacks the right. `doctor` names it."
            )
        case HTTPStatus.NOT_FOUND if is_gone(unread):
            return catalogue.gettext("SecMaster answered HTTP 404: it does not exist there.")
        case HTTPStatus.NOT_FOUND:
            return catalogue.gettext(
                "The gateway answered HTTP 404 before SecMaster was asked: "
                "this region may not offer it."
            )
        case 0 if unread.code == NOT_ASKED:
            return catalogue.gettext("SecMaster does not say which it is.")
        case 0:
            return catalogue.gettext("SecMaster did not answer.")
        case _:
            return catalogue.gettext("SecMaster answered HTTP {status}.", status=unread.status)


def unread_sentence(catalogue: Catalogue, unread: Unread) -> str:
    """Say what could not be read around an object, why, and what an operator can do about it."""
    sentence = UNREAD_AROUND.get(unread.subject)
    if sentence is None:
        return catalogue.gettext("The alert or incident has not been read yet.")
    return f"{catalogue.gettext(sentence)} {_reason(catalogue, unread)}"
