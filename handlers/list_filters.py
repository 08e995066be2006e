"""Read the words of a list command: a state, filters, what is searched for, and perhaps a page."""

from bot.domain.objects import MAX_SEARCH, RUN_KINDS, ByKind, ListQuery, ObjectKind
from bot.messages import command_problems
from bot.messages.catalogue import N_, Sentence
from bot.messages.lists import PAGE
from bot.operations.search import Search, UnknownFilter, fold, tokens
from bot.secmaster import InstanceStatus, PlaybookInstanceStatus
from handlers.parsing import ParseError

# The words that may be written for a list's state, and the state that each means.
RUN_STATES = {"open": "", "done": "finished", "all": "all"}
STATES: ByKind[dict[str, str]] = ByKind(
    task={"todo": "todo", "waiting": "todo", "open": "todo"}
    | {"handled": "handled", "decided": "handled", "finished": "handled", "done": "handled"},
    instance={status.lower(): status.lower() for status in InstanceStatus} | RUN_STATES,
    playbook={status.lower(): status.lower() for status in PlaybookInstanceStatus} | RUN_STATES,
)
# The states in which something waits for people: the others are SecMaster's to search and to sort.
OPEN_STATES = ByKind(task=("", "todo"), instance=("", "failed"), playbook=("", "failed"))
EXAMPLES = ByKind(
    task="mine, overdue, due:2h, severity:high, done, page 2",
    instance="mine, severity:high, failed, running, done, all, page 2",
    playbook="mine, severity:high, failed, running, done, all, page 2",
)
OPEN_ONLY = ByKind(
    task=N_("“mine”, “overdue”, “due:” and “severity:” filter waiting tasks only."),
    instance=N_("“mine” and “severity:” filter failed runs only."),
    playbook=N_("“mine” and “severity:” filter failed playbook runs only."),
)


def parse_list_words(kind: ObjectKind, words: str) -> ListQuery:
    """Return what a list command asks for; raises ParseError.

    A state comes before what is searched for, a page after it. What is in quotes is searched for.
    """
    typed = [(word, is_quoted, fold(word)) for word, is_quoted in tokens(words)]
    offset = 0
    if [folded for _, is_quoted, folded in typed[-2:-1] if not is_quoted] == ["page"]:
        _, is_quoted, folded = typed[-1]
        if not is_quoted and folded.isdecimal():
            offset, typed = _offset(folded), typed[:-2]
    state = ""
    for place, (_, is_quoted, folded) in enumerate(typed):
        if not is_quoted and folded in STATES[kind]:
            state = STATES[kind][folded]
            del typed[place]
            break
        if is_quoted or (
            not folded.startswith(("due:", "severity:")) and folded not in ("mine", "overdue")
        ):
            break
    text = " ".join(f'"{word}"' if is_quoted else word for word, is_quoted, _ in typed)
    if len(text) > MAX_SEARCH:
        raise ParseError(command_problems.search_too_long(len(text), MAX_SEARCH))
    query = ListQuery(kind=kind, filter=state, text=text, offset=offset)
    read_search(query)
    return query


def read_search(query: ListQuery) -> Search:
    """Return what a list is narrowed to; raises ParseError for what its state does not have."""
    try:
        search = Search.parse(query.text)
    except UnknownFilter as error:
        values = {"word": error.word[:60], "filters": EXAMPLES[query.kind]}
        problem = N_(
            "“{word}” is not a filter. Filters: {filters}. To search for it, put it in quotes."
        )
        raise ParseError(Sentence(problem, values)) from None
    if query.kind in RUN_KINDS and search.asks_for_due_date:
        raise ParseError(Sentence(N_("Runs have no due date. Use this filter on tasks.")))
    if search.has_filters and query.filter not in OPEN_STATES[query.kind]:
        raise ParseError(Sentence(OPEN_ONLY[query.kind]))
    return search


def is_open_list(query: ListQuery) -> bool:
    """Whether a list is of what waits for people, and of runs that go on."""
    return query.filter in OPEN_STATES[query.kind]


def _offset(number: str) -> int:
    page = int(number) if len(number) < 5 else 10**4  # noqa: PLR2004 - no list has more
    if page == 0:
        raise ParseError(Sentence(N_("Pages are counted from 1.")))
    return (page - 1) * PAGE
