"""Everything the bot remembers, on one engine."""

import sqlalchemy as sa

from bot.store.audit import Audit
from bot.store.card_states import CardStates
from bot.store.cards import Cards
from bot.store.claims import Claims
from bot.store.closed_channels import ClosedChannels
from bot.store.delegations import Delegations
from bot.store.deliveries import Deliveries
from bot.store.evidence import StoredEvidence
from bot.store.followed_operations import FollowedOperations
from bot.store.home_views import HomeViews
from bot.store.mark_key import MarkKey
from bot.store.mutes import Mutes
from bot.store.outbox import Outbox
from bot.store.personal_snoozes import PersonalSnoozes
from bot.store.policies import Policies
from bot.store.poll_status import PollStatuses
from bot.store.preferences import Preferences
from bot.store.snapshots import Snapshots
from bot.store.subscriptions import Subscriptions
from bot.store.tracked import TrackedObjects
from bot.store.troubles import Troubles
from bot.store.workflows import Workflows
from bot.store.write_probe import WriteProbe


class Store:
    """Each table, or the tables that change together, under its name."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.audit = Audit(engine)
        self.card_states = CardStates(engine)
        self.cards = Cards(engine)
        self.claims = Claims(engine)
        self.closed_channels = ClosedChannels(engine)
        self.delegations = Delegations(engine)
        self.deliveries = Deliveries(engine)
        self.evidence = StoredEvidence(engine)
        self.followed_operations = FollowedOperations(engine)
        self.home_views = HomeViews(engine)
        self.mark_key = MarkKey(engine)
        self.mutes = Mutes(engine)
        self.outbox = Outbox(engine)
        self.personal_snoozes = PersonalSnoozes(engine)
        self.policies = Policies(engine)
        self.poll_statuses = PollStatuses(engine)
        self.preferences = Preferences(engine)
        self.snapshots = Snapshots(engine)
        self.subscriptions = Subscriptions(engine)
        self.tracked = TrackedObjects(engine)
        self.troubles = Troubles(engine)
        self.workflows = Workflows(engine)
        self.write_probe = WriteProbe(engine)
