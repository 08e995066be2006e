"""What keeps the bot from its work: values for messages, for health and for metrics."""

from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.objects import Ref, Value
from bot.domain.slack import Destination
from bot.domain.watch_status import FailedAnswer

DUE_WITHIN = timedelta(hours=4)  # tasks that are approved by themselves so soon are named
LONGEST_PLACE = 120  # characters of a key's second part, which a name of somebody's may be


class TroubleKind(StrEnum):
    """What is in trouble."""

    SECMASTER = "secmaster"  # it can't be read, or refuses
    WATCH_BEHIND = "watch_behind"  # nobody polls it, though nothing failed
    SLACK_TOKEN = "slack_token"  # noqa: S105 - Slack refuses it
    DATABASE = "database"  # it is full, read-only or gone
    EXPIRY = "expiry"  # a credential or a certificate ends soon


class Expiring(StrEnum):
    """A credential or a certificate that ends, which a trouble of EXPIRY has in ``where``."""

    IAM_PASSWORD = "iam_password"  # noqa: S105 - its name
    SECMASTER_CA_FILE = "secmaster_ca_file"
    SLACK_CA_FILE = "slack_ca_file"
    SECMASTER_CERTIFICATE = "secmaster_certificate"  # which the server shows


class Trouble(Value):
    """A trouble, and since when it lasts.

    ``where`` is the workspace, the replica, or an Expiring. ``answer`` is what SecMaster
    said last, ``code`` Slack's word, or why the database can't be used. ``ends_at`` is when a
    credential or a certificate ends.
    """

    kind: TroubleKind
    since: datetime
    where: str = ""
    answer: FailedAnswer | None = None
    code: str = ""
    ends_at: datetime | None = None

    @property
    def key(self) -> str:
        """What names this trouble, however often it comes."""
        return f"{self.kind}:{self.where[:LONGEST_PLACE]}"


class DueTask(Value):
    """A task that SecMaster approves by itself at ``due``; ``link`` leads to its card, if any."""

    ref: Ref
    name: str
    due: datetime
    link: str = ""


class DueTasks(Value):
    """The tasks that are approved by themselves soon: a few by name, and how many more.

    ``is_known`` is False where the database could not be asked.
    """

    named: tuple[DueTask, ...] = ()
    others: int = 0
    is_known: bool = True


class ReportedTrouble(Value):
    """A trouble that lasted for long enough, until it is over.

    ``destinations`` were told of it. ``well_since`` is since when nothing is seen of it, None while
    it lasts; ``ended_at`` when people were told that it is over. One that ``recurs`` came again
    soon after its end.
    """

    trouble: Trouble
    destinations: tuple[Destination, ...] = ()
    well_since: datetime | None = None
    ended_at: datetime | None = None
    recurs: bool = False
