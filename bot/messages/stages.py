"""Say which stages of approvals there are, and whose turn it is."""

from bot.domain.approvals import ApprovalRequest
from bot.domain.stages import Stage, Stages, stage_at
from bot.messages.catalogue import Catalogue
from bot.messages.text import inline


def stage_roles(catalogue: Catalogue, stage: Stage) -> str:
    """Name the roles of a stage as markup: "*lead* or *manager*"."""
    return catalogue.one_of([f"*{inline(role, 60)}*" for role in stage.roles])


def plain_stage_roles(catalogue: Catalogue, stage: Stage) -> str:
    """Name the roles of a stage in plain text."""
    return catalogue.one_of(stage.roles)


def order_sentences(catalogue: Catalogue, stages: Stages, *, is_markup: bool = True) -> list[str]:
    """Say in which order the stages need approvals, one sentence each."""
    names = stage_roles if is_markup else plain_stage_roles
    first, *others = stages
    sentences = [
        catalogue.ngettext(
            "First, {count} approval by {roles} is needed.",
            "First, {count} approvals by {roles} are needed.",
            first.count,
            roles=names(catalogue, first),
        )
    ]
    return sentences + [
        catalogue.ngettext(
            "Then, {count} approval by {roles} is needed.",
            "Then, {count} approvals by {roles} are needed.",
            stage.count,
            roles=names(catalogue, stage),
        )
        for stage in others
    ]


def turn_sentence(catalogue: Catalogue, roles: str, missing: int) -> str:
    """Say how many approvals are needed now, and of which ``roles``."""
    return catalogue.ngettext(
        "{count} approval by {roles} is needed now.",
        "{count} approvals by {roles} are needed now.",
        missing,
        roles=roles,
    )


def turn_sentences(catalogue: Catalogue, request: ApprovalRequest) -> list[str]:
    """Say whose turn it is in a request of several stages; [] where it has one, or all are full."""
    if len(request.stages) == 1 or request.turn == len(request.stages):
        return []
    roles = stage_roles(catalogue, request.current_stage)
    return [turn_sentence(catalogue, roles, request.missing_now)]


def not_your_turn(catalogue: Catalogue, roles: str, missing: int) -> str:
    """Say to somebody who may not approve yet, or no longer, how many of which roles may now."""
    not_recorded = catalogue.gettext("Your approval was not recorded.")
    return f"{not_yet(catalogue, roles, missing)} {not_recorded}"


def not_yet(catalogue: Catalogue, roles: str, missing: int) -> str:
    """Say to somebody before they approve that others may now, how many of which roles."""
    return catalogue.ngettext(
        "It is not your turn: {count} approval by {roles} is needed now.",
        "It is not your turn: {count} approvals by {roles} are needed now.",
        missing,
        roles=roles,
    )


def stage_title(catalogue: Catalogue, request: ApprovalRequest, number: int) -> str:
    """Say of one stage of a request, by its number from 0, how many approvals it has."""
    stage = stage_at(request.stages, number)
    title = catalogue.gettext(
        "Stage {number}, {roles}: {count} of {needed}",
        number=catalogue.number(number + 1),
        roles=stage_roles(catalogue, stage),
        count=catalogue.number(len(request.approvals_in(number))),
        needed=catalogue.number(stage.count),
    )
    if number == request.turn:
        return f"⏳ {title}"
    return f"✅ {title}" if number < request.turn else f"▫️ {title}"
