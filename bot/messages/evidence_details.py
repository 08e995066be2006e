"""Show everything that SecMaster knows around a task or a run: the part of the Details about it."""

from collections.abc import Sequence
from datetime import datetime

from slack_sdk.models.blocks import Block

from bot.messages import evidence as card_evidence
from bot.messages.blocks import SECTION_TEXT, context, fields, plain_text, section
from bot.messages.catalogue import Catalogue
from bot.messages.evidence import FINDING_WORDS, VALUE, asset_facts, connection_text, source_link
from bot.messages.fields import WHOLE, laid_out
from bot.messages.text import ago_token, code, date_token, defang, prose
from bot.secmaster import Evidence, Finding, FindingFile, FindingResource, Process, Resource

ROWS = 30  # of one kind
COMMAND_LINE = 400
TEXT = 200
PAIRS = 10  # that one block of fields holds


def blocks(catalogue: Catalogue, evidence: Evidence | None) -> list[Block]:
    """Return the blocks about what is known around an object; [] where nothing is."""
    if evidence is None:
        return []
    parts: list[Block] = []
    if finding := evidence.finding:
        lines = card_evidence.card_lines(catalogue, evidence)
        pairs = _facts(catalogue, finding)
        parts += [section(lines[0])]
        parts += [fields(pairs[start : start + PAIRS]) for start in range(0, len(pairs), PAIRS)]
        parts += _lists(catalogue, finding, evidence)
        parts += _paragraphs(catalogue, finding)
    if unread := card_evidence.unread_lines(catalogue, evidence):
        parts.append(context("\n".join(unread)))
    if evidence.read_at and parts:
        ago = ago_token(evidence.read_at)
        parts.append(context(catalogue.gettext("Read from SecMaster {ago}.", ago=ago)))
    return parts


def _facts(catalogue: Catalogue, finding: Finding) -> list[tuple[str, str]]:
    """Return what is known of a finding in one word or a few, by label."""

    def of_field(name: str, text: str) -> tuple[str, str]:
        words = FINDING_WORDS[name]
        label = catalogue.gettext(words.label)
        return label, card_evidence.value_text(catalogue, words.values, text)

    source = finding.data_source
    products = (source.company_name, source.product_name, source.product_feature)
    gettext = catalogue.gettext
    pairs = [
        of_field("severity", finding.severity),
        of_field("verification_state", finding.verification_state),
        of_field("handle_status", finding.handle_status),
        (gettext("Category"), card_evidence.category_text(finding)),
        (gettext("Source"), " · ".join(prose(name, VALUE) for name in products if name.strip())),
        (gettext("Confidence"), catalogue.number(finding.confidence) if finding.confidence else ""),
        (
            gettext("Criticality"),
            catalogue.number(finding.criticality) if finding.criticality else "",
        ),
        (gettext("Times seen"), catalogue.number(finding.count) if finding.count > 0 else ""),
        (gettext("First seen"), _time(finding.first_observed_time)),
        (gettext("Last seen"), _time(finding.last_observed_time)),
        (gettext("Reported"), _time(finding.arrive_time)),
        (gettext("Owner"), prose(finding.owner, VALUE)),
        (gettext("Phase"), prose(finding.ipdrr_phase, VALUE)),
        (gettext("Closed because"), prose(finding.close_reason, VALUE)),
        (gettext("Closing comment"), prose(finding.close_comment, TEXT)),
        (gettext("Region"), prose(finding.region_id, VALUE)),
        (gettext("Labels"), prose(finding.labels, TEXT)),
        (gettext("ID"), code(finding.id, VALUE) if finding.id.strip() else ""),
        (gettext("Link"), source_link(catalogue, finding.source_url)),
    ]
    return [(label, text) for label, text in pairs if text]


def _lists(catalogue: Catalogue, finding: Finding, evidence: Evidence) -> list[Block]:
    """Show the resources, addresses, users, processes, files and malware, a row each."""
    gettext = catalogue.gettext
    resources = [
        _resource(catalogue, resource, evidence.managed(resource)) for resource in finding.resources
    ]
    connections = [connection_text(catalogue, each, domains=True) for each in finding.connections]
    users = [_with_id(user.user_name, user.user_id) for user in finding.users]
    malware = finding.malware
    families = [
        " · ".join(filter(None, map(_code, (malware.malware_family, malware.malware_class))))
    ]
    return [
        *_listed(catalogue, gettext("Affected resources"), resources),
        *_listed(catalogue, gettext("Addresses"), connections),
        *_listed(catalogue, gettext("Users"), users),
        *_listed(
            catalogue,
            gettext("Processes"),
            [_process(catalogue, each) for each in finding.processes],
        ),
        *_listed(catalogue, gettext("Files"), [_file(catalogue, each) for each in finding.files]),
        *_listed(catalogue, gettext("Malware"), families),
    ]


def _listed(catalogue: Catalogue, label: str, rows: Sequence[str]) -> list[Block]:
    """Return a section with rows below their label, as many as fit; [] for none."""
    rows = [row for row in rows if row]
    lines = [f"*{label}*"]
    room = SECTION_TEXT - len(lines[0]) - TEXT
    for row in rows[:ROWS]:
        room -= len(row) + len("\n• ")
        if room < 0:
            break
        lines.append(f"• {row}")
    if rest := len(rows) - len(lines) + 1:
        lines.append(catalogue.ngettext("and {count} more", "and {count} more", rest))
    return [section("\n".join(lines))] if rows else []


def _paragraphs(catalogue: Catalogue, finding: Finding) -> list[Block]:
    """Show the description and the advice as plain text, defanged."""
    parts: list[Block] = []
    for label, text in (
        (catalogue.gettext("Description"), laid_out(finding.description)),
        (catalogue.gettext("Advice"), finding.remediation.recommendation),
    ):
        if text.strip():
            parts += [section(f"*{label}*"), plain_text(defang(text[: 2 * WHOLE]), WHOLE)]
    if advice := source_link(catalogue, finding.remediation.url):
        parts.append(context(advice))
    return parts


def _resource(catalogue: Catalogue, resource: FindingResource, managed: Resource | None) -> str:
    facts = asset_facts(catalogue, resource, managed)
    if resource.name.strip():
        facts.append(_code(resource.id))
    facts.append(prose(resource.region_id, VALUE))
    if managed and managed.department:
        name = prose(managed.department, VALUE)
        facts.append(catalogue.gettext("department {name}", name=name))
    if managed and managed.governance_user:
        name = prose(managed.governance_user, VALUE)
        facts.append(catalogue.gettext("owner {name}", name=name))
    return " · ".join(filter(None, facts))


def _process(catalogue: Catalogue, process: Process) -> str:
    facts = [_code(process.process_path or process.process_name)]
    if pid := process.process_pid.strip():
        facts.append(catalogue.gettext("PID {pid}", pid=code(pid, VALUE)))
    facts.append(_code(process.process_cmdline, COMMAND_LINE))
    return " · ".join(filter(None, facts))


def _file(catalogue: Catalogue, file: FindingFile) -> str:
    facts = [_code(file.file_path, TEXT)]
    if file.file_sha256.strip():
        facts.append(catalogue.gettext("SHA-256 {hash}", hash=_code(file.file_sha256)))
    elif file.file_md5.strip():
        facts.append(catalogue.gettext("MD5 {hash}", hash=_code(file.file_md5)))
    return " · ".join(filter(None, facts))


def _with_id(name: str, id_: str) -> str:
    if name.strip() and id_.strip():
        return f"{_code(name)} ({_code(id_)})"
    return _code(name) or _code(id_)


def _code(text: str, limit: int = VALUE) -> str:
    """Return an exact value as code; "" for an empty one."""
    literal = code(text, limit)
    return "" if literal == "—" else literal


def _time(at: datetime | None) -> str:
    return date_token(at) if at else ""
