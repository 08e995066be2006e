"""The services of a bot between both stand-ins, of which nothing runs by itself."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot.domain.evidence import EvidenceReader
from bot.domain.workspaces import Workspaces
from bot.policy.config import PolicyHolder
from bot.policy.rules import asks_evidence
from bot.runtime.clock import Clock
from bot.runtime.timeouts import Timeouts
from bot.secmaster.connect import open_secmaster
from bot.services import Services
from bot.settings import Settings
from bot.slack.cards import Cards
from bot.slack.channels import Channels
from bot.slack.connect import open_slack
from bot.slack.directory import Directory
from bot.slack.gateway import SlackGateway
from bot.slack.installation import Installation
from bot.store import Store, close, connect
from tests.support.environment import policy
from tests.support.samples import ENGLISH
from tests.support.timeouts import PATIENCE


@asynccontextmanager
async def open_services(
    settings: Settings, rules: str, *, clock: Clock, timeouts: Timeouts
) -> AsyncIterator[Services]:
    """Open what these settings name, under these rules; the database has its tables already."""
    async with AsyncExitStack() as stack:
        engine = connect(settings.database_url)
        stack.callback(close, engine)
        store, holder = Store(engine), PolicyHolder(policy(rules), Path("none.toml"))
        client = await open_slack(settings, stack)
        identity = await client.auth_test()
        workspaces = Workspaces({"main": await open_secmaster(settings, stack, clock.now)}, {})
        channels = Channels(client, holder, clock)
        key = store.mark_key.get()
        gateway = SlackGateway(
            client, identity["user_id"], identity["url"], channels=channels, mark_key=key
        )
        cards = Cards(
            gateway, store, workspaces, holder, clock=clock, timeouts=timeouts, catalogue=ENGLISH
        )
        stack.push_async_callback(cards.close)
        directory = Directory(
            client,
            Installation.read(identity),
            holder,
            store.delegations,
            clock=clock,
            within=PATIENCE,
        )
        evidence = EvidenceReader(
            workspaces.client,
            clock,
            timeouts.evidence,
            lambda kind: asks_evidence(holder.current.rules, kind),
            holder.asks_each_resource,
        )
        yield Services(
            catalogue=ENGLISH,
            workspaces=workspaces,
            evidence=evidence,
            slack=gateway,
            cards=cards,
            directory=directory,
            store=store,
            policy=holder,
            clock=clock,
            timeouts=timeouts,
            process_id="first",
            poll_interval=holder.current.watch.every,
        )
