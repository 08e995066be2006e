"""The measurements, each on one program under test. All times are in seconds."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.clicker import Ack, Click
from tests.bench.scene import Card, Scene

WARM = 12  # clicks of a kind that nobody counts: connections, caches and code get warm
ALONE = 200  # clicks one after another, each on a program at rest
COMMANDS = 30  # the same by slash command
BURST, BURSTS = 50, 3  # clicks at once, and how often
DELAY = 0.05  # put on every outside call
DELAYED = 7  # clicks of a kind through that delay
IN_FLIGHT, RUNS, COMMENTS, APPROVALS = 50, 3, 80, 50  # operations a run
SHARED = 20  # cards that all comments are spread over
COUNTED = 5  # clicks of a kind whose calls are counted
DRAWN = 1.5  # seconds: a card is drawn once a second at most, so its last drawing may come late

Make = Callable[[Card], Click]


@dataclass(frozen=True)
class Measured:
    """What one program did. ``calls`` says for each kind of click what one click called."""

    alone: list[float]
    alone_by_command: list[float]
    at_once: list[float]
    approve_to_thread: list[float]
    form_to_thread: list[float]
    command_to_thread: list[float]
    comments_a_second: list[float]
    approvals_a_second: list[float]
    calls: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Told:
    """One click: its acknowledgement, and the moment at which its reply stood in Slack."""

    ack: Ack
    stood: float


class Bench:
    """One program's way through all measurements. Every approval has a card of its own."""

    def __init__(self, scene: Scene, *, ours: bool) -> None:
        self.scene = scene
        self._ours = ours
        self._approved: list[Card] = []
        self._commented = 0
        self._shown = 0  # cards that nobody clicks on

    async def run(self) -> Measured:
        self._shared = await self.scene.cards(SHARED, by_command=self._ours)
        await self._one_by_one(await self._approvals(WARM))
        await self._one_by_one(self._comments(WARM))
        await self._one_by_one(self._commands(WARM))
        measured = Measured(
            calls=await self._calls(),
            alone=_acks(await self._one_by_one(await self._approvals(ALONE))),
            alone_by_command=_acks(await self._one_by_one(self._commands(COMMANDS))),
            at_once=[took for _ in range(BURSTS) for took in await self._burst()],
            approve_to_thread=await self._delayed(await self._approvals(DELAYED)),
            form_to_thread=await self._delayed(self._comments(DELAYED)),
            command_to_thread=await self._delayed(self._commands(DELAYED)),
            comments_a_second=[await self._rate(self._comments(COMMENTS)) for _ in range(RUNS)],
            approvals_a_second=[
                await self._rate(await self._approvals(APPROVALS)) for _ in range(RUNS)
            ],
        )
        self._check()
        return measured

    # Clicks.

    async def _approvals(self, count: int) -> list[Click]:
        cards = await self.scene.cards(count, by_command=self._ours)
        await self.scene.quiet()
        self._approved += cards
        return [self.scene.approve(card) for card in cards]

    def _comments(self, count: int) -> list[Click]:
        return self._spread(self.scene.comment, count)

    def _commands(self, count: int) -> list[Click]:
        return self._spread(self.scene.command, count)

    def _spread(self, make: Make, count: int) -> list[Click]:
        self._commented += count
        return [make(self._shared[number % SHARED]) for number in range(count)]

    # Measurements.

    async def _one_by_one(self, clicks: list[Click]) -> list[Told]:
        scene, results = self.scene, []
        for click in clicks:
            await scene.quiet()
            count = len(scene.arrivals)
            [ack] = await scene.send(click)
            await scene.until_arrived(count + 1)
            results.append(Told(ack, scene.arrivals[count]))
        await scene.quiet()
        return results

    async def _burst(self) -> list[float]:
        clicks = await self._approvals(BURST)
        count = len(self.scene.arrivals)
        acks = await self.scene.send(*clicks)
        await self.scene.until_arrived(count + len(clicks))
        return [ack.took for ack in acks]

    async def _delayed(self, clicks: list[Click]) -> list[float]:
        async with self.scene.delayed(DELAY):
            results = await self._one_by_one(clicks)
        return [each.stood - each.ack.started_at for each in results]

    async def _rate(self, clicks: list[Click]) -> float:
        """Operations a second, from the first click to the last reply."""
        await self.scene.quiet()
        count = len(self.scene.arrivals)
        acks = await self.scene.keep_in_flight(clicks, IN_FLIGHT)
        await self.scene.quiet()
        took = self.scene.arrivals[count + len(clicks) - 1] - min(ack.started_at for ack in acks)
        return len(clicks) / took

    async def _calls(self) -> dict[str, dict[str, float]]:
        calls = {
            "approve": await self._counted(await self._approvals(COUNTED)),
            "comment by form": await self._counted(self._comments(COUNTED)),
            "comment by command": await self._counted(self._commands(COUNTED)),
        }
        return calls | await self._calls_of_cards() if self._ours else calls

    async def _calls_of_cards(self) -> dict[str, dict[str, float]]:
        """The calls of one card that is posted, and completed with the alert behind its task."""
        cards = {}
        for name, same_alert in (("card", False), ("card, same alert", True)):
            refs = self.scene.tasks_about_alerts(COUNTED, same_alert=same_alert)
            await self.scene.quiet(DRAWN)
            before = self.scene.calls()
            await self.scene.show(refs)
            await self.scene.quiet(DRAWN)
            made = self.scene.calls() - before
            cards[name] = {call: count / COUNTED for call, count in made.items()}
            self._shown += COUNTED
        return cards

    async def _counted(self, clicks: list[Click]) -> dict[str, float]:
        """The calls of one click, by name."""
        await self.scene.quiet(DRAWN)
        before = self.scene.calls()
        await self._one_by_one(clicks)
        await self.scene.quiet(DRAWN)
        made = self.scene.calls() - before
        return {name: count / len(clicks) for name, count in made.items()}

    def _check(self) -> None:
        """Every click was written exactly once and told exactly once."""
        self.scene.check_written_once(self._approved, len(self._approved), "CONTINUE")
        self.scene.check_written_once(self._shared, self._commented, "ADD_COMMENT")
        cards = clicks = len(self._approved)
        self.scene.check_posted(cards + SHARED + self._shown + clicks + self._commented)


def _acks(clicks: list[Told]) -> list[float]:
    return [click.ack.took for click in clicks]
