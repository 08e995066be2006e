"""Commands about one kind of object: its lists, cards and batches, and the actions of the table."""

from functools import partial

from bot.domain.actions import TABLE, Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.batches import BatchQuery
from bot.domain.objects import ByKind, ListQuery, ObjectKind
from bot.messages import (
    Message,
    batch_forms,
    command_help,
    command_problems,
    operation_results,
)
from bot.messages.command_help import HelpLine
from bot.messages.command_problems import CommandText
from bot.messages.labels import labels
from bot.secmaster import NotFound
from handlers import batch, operations, queries, questions
from handlers.command_row import (
    AnswersLater,
    AnyCommand,
    Arguments,
    Command,
    Delivery,
    OpensForm,
    Posts,
    RecordsOperation,
)
from handlers.context import AppContext, Recorder
from handlers.list_filters import parse_list_words
from handlers.parsing import (
    UUID,
    ParseError,
    check_param,
    identifier,
    plain,
    read_reason,
    refuse_more,
    refuse_second_id,
    split,
    take_ref,
)
from handlers.requests import ActionRequest, ChangeApproval, ShowCard

FILTER_USAGE = ByKind(
    task="[mine|overdue|due:2h|done]",
    instance="[mine|failed|running|all]",
    playbook="[mine|failed|running|all]",
)


def parse_list(kind: ObjectKind, arguments: Arguments) -> ListQuery:
    """Parse what to list: a state, filters, what is searched for, and perhaps a page."""
    return parse_list_words(kind, plain(arguments.words))


async def list_objects(app: AppContext, query: ListQuery, delivery: Delivery) -> Message:
    return await queries.listing(app, query, delivery.requester.actor)


def parse_show(kind: ObjectKind, arguments: Arguments) -> ShowCard | ListQuery:
    """Parse whose card is shown; words that are a name are searched for in its place."""
    try:
        ref, rest = take_ref(kind, arguments.words, arguments.default_ref(kind))
    except ParseError as error:
        if not isinstance(error.problem.params.get("command"), CommandText):
            raise
        return parse_list(kind, arguments)
    refuse_more(rest)
    return ShowCard(ref)


async def show_card(
    app: AppContext, request: ShowCard | ListQuery, delivery: Delivery
) -> Message | None:
    """Post a card, or list what has the words in its name that stood in the place of an id."""
    actor = delivery.requester.actor
    if isinstance(request, ListQuery):
        return await queries.listing(app, request, actor)
    try:
        await queries.show(app, request, delivery.requester)
    except NotFound:
        if UUID.fullmatch(request.ref.id):
            raise
        # "ecs-web-07" could be an id, and is a part of a name.
        query = ListQuery(kind=request.ref.kind, text=request.ref.id)
        return await queries.listing(app, query, actor)
    return None


def parse_several(kind: ObjectKind, arguments: Arguments) -> BatchQuery:
    query = parse_list(kind, arguments)
    return BatchQuery(kind=kind, text=query.text)


async def say_what_opens_form(app: AppContext, query: BatchQuery, _delivery: Delivery) -> Message:
    return batch_forms.needs_form(app.catalogue, query.kind, app.root)


def parse_action(action: Action, arguments: Arguments) -> ActionRequest:
    """Parse what follows an action's verb: the id, its parameters, and perhaps a reason.

    Where the message brings files they stand for the parameter that is a file's.
    """
    default_ref = arguments.default_ref(action.kind)
    ref, rest = take_ref(action.kind, arguments.words, default_ref)
    params = {}
    files = arguments.files if action.takes_file else ()
    for param in action.params:
        if param.file and files:
            continue
        if not rest.strip():
            raise ParseError(command_problems.missing(param))
        if param.rest:
            value, rest = plain(rest), ""
        else:
            word, rest = split(rest)
            value = identifier(word)
        params[param.name] = check_param(param, value)
    if action.takes_reason:
        refuse_second_id(action.kind, rest)
        return ActionRequest(action, ref, params, read_reason(rest))
    refuse_more(rest)
    return ActionRequest(action, ref, params, files=files)


async def run_action(
    recorder: Recorder, request: ActionRequest, delivery: Delivery
) -> Message | None:
    """Record an action, and the answer says so; or ask before, which is all the answer there is."""
    app, requester = recorder.app, delivery.requester_about(request.ref)
    operations.require_few_files(recorder.app, request.files)
    if await questions.must_ask(app, request, requester, delivery.ts):
        await questions.ask(app, request, requester, delivery.dedupe_key)
        return None
    reply_to = await operations.run_command(recorder, request, requester, delivery.dedupe_key)
    return operation_results.recorded(
        recorder.app.catalogue, request.action, elsewhere=reply_to != requester
    )


def parse_approval_change(
    kind: ObjectKind, intent: ApprovalIntent, arguments: Arguments
) -> ChangeApproval:
    """Parse whose approvals are changed, and perhaps a reason."""
    ref, rest = take_ref(kind, arguments.words, arguments.default_ref(kind))
    refuse_second_id(kind, rest)
    return ChangeApproval(intent, ref, read_reason(rest))


async def change_approval(
    recorder: Recorder, request: ChangeApproval, delivery: Delivery
) -> Message:
    """Record the change of an approval; the answer says so."""
    requester = delivery.requester_about(request.ref)
    reply_to = await operations.change_approval(recorder, request, requester, delivery.dedupe_key)
    return operation_results.approval_change_recorded(
        recorder.app.catalogue, request.intent, elsewhere=reply_to != requester
    )


def object_commands(kind: ObjectKind) -> tuple[AnyCommand, ...]:
    """Return the rows of the commands about one kind."""
    return (
        Command(
            kind=kind,
            name="list",
            usage=f"{kind} list {FILTER_USAGE[kind]} [text]",
            help=command_help.LISTS[kind],
            parse=partial(parse_list, kind),
            handler=AnswersLater(list_objects),
        ),
        Command(
            kind=kind,
            name="show",
            aliases=("details",),
            usage=f"{kind} show <id>",
            help=command_help.SHOW,
            parse=partial(parse_show, kind),
            handler=Posts(show_card),
        ),
        *(
            Command(
                kind=kind,
                name=action.verb,
                aliases=action.aliases,
                usage=action.usage,
                help=labels(action).help,
                takes_files=action.takes_file,
                parse=partial(parse_action, action),
                handler=RecordsOperation(run_action),
            )
            for action in TABLE
            if action.kind == kind
        ),
        Command(
            kind=kind,
            name="withdraw",
            usage=f"{kind} withdraw <id> [reason]",
            help=(HelpLine(f"{kind} withdraw <id>", command_help.WITHDRAW),),
            parse=partial(parse_approval_change, kind, ApprovalIntent.WITHDRAW),
            handler=RecordsOperation(change_approval),
        ),
        Command(
            kind=kind,
            name="decline",
            aliases=("refuse",),
            usage=f"{kind} decline <id> [reason]",
            help=command_help.DECLINE,
            parse=partial(parse_approval_change, kind, ApprovalIntent.DECLINE),
            handler=RecordsOperation(change_approval),
        ),
        Command(
            kind=kind,
            name="several",
            usage=f"{kind} several [text]",
            help=command_help.SEVERAL[kind],
            parse=partial(parse_several, kind),
            handler=OpensForm(batch.open_form, say_what_opens_form),
        ),
    )
