"""What stands around an object as conditions ask about it: the finding, its assets, the workflow.

Pure. A fact that SecMaster does not state, and one that could not be read, never fulfils a
condition, and never tells that a condition is not fulfilled either.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import assert_never

from bot.domain.evidence import FINDINGS, MAX_RESOURCES, Subject
from bot.domain.snapshots import Snapshot
from bot.policy.patterns import normalize
from bot.secmaster import (
    AopType,
    BusinessType,
    Evidence,
    Finding,
    FindingResource,
    Instance,
    PlaybookInstance,
    Severity,
    Task,
    Unread,
    Verification,
)

FINDING_KEYS = ("severity", "verification", "drill", "source", "category")
# A finding may have several assets: an object is asked about once for each of them.
ASSET_KEYS = ("asset", "asset_type", "asset_level", "enterprise_project")
# What the resources themselves are read for, and not only the finding.
RESOURCE_KEYS = frozenset({"asset_level", "enterprise_project"})
EVIDENCE_KEYS = (*FINDING_KEYS, *ASSET_KEYS, "workflow_kind")
MAX_ASSETS = 100  # of more than these nobody can tell

# A fact: its text, "" where SecMaster does not state it, or why it could not be read.
Fact = str | Unread


class AssetLevel(StrEnum):
    """How much an asset matters, as SecMaster's asset management says."""

    TEST = "test"
    GENERAL = "general"
    KEY = "key"


LEVELS = {"0": AssetLevel.TEST, "1": AssetLevel.GENERAL, "2": AssetLevel.KEY}
OF_RUN = frozenset({Subject.RUN, Subject.PLAYBOOK_RUN})
OF_FINDING = OF_RUN | {Subject.FINDING, *FINDINGS.values()}
OF_ASSET = OF_FINDING | {Subject.RESOURCE}
OF_WORKFLOW = OF_RUN | {Subject.WORKFLOW}
NOTHING_READ = Unread()


def evidence_facts(snapshot: Snapshot) -> dict[str, Fact]:
    """Return the facts around an object by condition key; of several assets those of the first.

    A key is missing where such an object never has it: a version that is to be published is about
    no finding.
    """
    evidence = snapshot.evidence
    match snapshot:
        case Task(business_type=BusinessType.WORKFLOWPUBLISH):
            return {"workflow_kind": _workflow_kind(evidence)}
        case Task(business_type=BusinessType.PLAYBOOKPUBLISH):
            return {}
        case Task(business_type=BusinessType.WORKFLOWNODEAPPROVE) | Instance():
            return _facts_of_finding(evidence) | {"workflow_kind": _workflow_kind(evidence)}
        case Task() | PlaybookInstance():
            # A playbook's run may have several workflows, and nobody knows other types of tasks.
            return _facts_of_finding(evidence) | {"workflow_kind": ""}
        case _:
            assert_never(snapshot)


def per_asset(snapshot: Snapshot) -> Iterator[Snapshot]:
    """Yield the object once for each asset that it is about, as if that were the only one."""
    evidence = snapshot.evidence
    finding = evidence.finding if evidence else None
    if evidence is None or finding is None or not finding.resources:
        yield snapshot
        return
    assets = list(dict.fromkeys(finding.resources))
    for asset in assets[:MAX_ASSETS] + [FindingResource()] * (len(assets) > MAX_ASSETS):
        alone = finding.model_copy(update={"resources": (asset,)})
        yield snapshot.model_copy(
            update={"evidence": evidence.model_copy(update={"finding": alone})}
        )


def is_passed_over(snapshot: Snapshot) -> bool:
    """Whether the resource of an object's one asset was not read, as there are too many assets."""
    evidence = snapshot.evidence
    if evidence is None or evidence.finding is None or len(evidence.resources) < MAX_RESOURCES:
        return False
    resource_ids = {resource.id for resource in evidence.resources}
    return any(asset.id not in resource_ids for asset in evidence.finding.resources)


def _facts_of_finding(evidence: Evidence | None) -> dict[str, Fact]:
    keys = (*FINDING_KEYS, *ASSET_KEYS)
    if evidence is None or evidence.finding is None:
        return dict.fromkeys(keys, _missing(evidence, OF_FINDING))
    finding = evidence.finding
    asset = finding.resources[0] if finding.resources else FindingResource()
    managed = evidence.managed(asset)
    level = LEVELS.get(managed.level, "") if managed else _missing(evidence, OF_ASSET)
    project = asset.ep_name or (managed.ep_name if managed else _missing(evidence, OF_ASSET))
    category, source = finding.category, finding.data_source
    return {
        "severity": _one_of(Severity, finding.severity),
        "verification": _one_of(Verification, finding.verification_state),
        "drill": _drill(finding),
        "source": _joined(source.product_name, source.company_name),
        "category": _joined(category.category, category.type),
        "asset": normalize(asset.name),
        "asset_type": normalize(asset.type),
        "asset_level": level,
        "enterprise_project": normalize(project) if isinstance(project, str) else project,
    }


def _workflow_kind(evidence: Evidence | None) -> Fact:
    if evidence is None or evidence.workflow is None:
        return _missing(evidence, OF_WORKFLOW)
    return _one_of(AopType, evidence.workflow.aop_type)


def _missing(evidence: Evidence | None, subjects: frozenset[Subject]) -> Fact:
    """Return why something is missing: a read that failed, or else "", it is not stated."""
    if evidence is None:
        return NOTHING_READ
    return next((each for each in evidence.unread if each.subject in subjects), "")


def _one_of(values: type[StrEnum], text: str) -> str:
    """Return a text that is one of SecMaster's values; "" for one that nobody can compare."""
    return text if text in tuple(values) else ""


def _joined(text: str, detail: str) -> str:
    """Return two texts as "a/b"; "" where the first is not stated."""
    first = normalize(text)
    return first and f"{first}/{normalize(detail)}"


def _drill(finding: Finding) -> str:
    """Return "true" or "false"; "" where that is not stated, or stated both ways."""
    is_simulated = finding.type == "SIMULATION"
    match finding.simulation.casefold():
        case "true":
            return "true"
        case "false":
            return "" if is_simulated else "false"
        case _:
            return "true" if is_simulated else ""


def unread_fact(facts: Mapping[str, Fact], keys: tuple[str, ...]) -> Unread | None:
    """Return why the first of some facts could not be read; None where all were."""
    return next((fact for key in keys if isinstance(fact := facts.get(key), Unread)), None)
