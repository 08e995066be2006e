"""Find out whether the database can be written to: by writing."""

import secrets
import threading

import sqlalchemy as sa

from bot.store.repository import Repository
from bot.store.tables import write_probes

INTERVAL = 3.0  # seconds for which an answer is good
FILLING = bytes(16 * 1024)  # of several pages: a file that is full may have room for a few bytes
MAX_WAIT = 2.0  # seconds


class WriteProbe(Repository):
    """Writes a row and takes it back, in one transaction that has to reach the disk."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self._lock = threading.Lock()
        self._written_at = float("-inf")

    def check(self, now: float) -> None:
        """Return if a write was possible within the last seconds; raises what the database raises.

        ``now`` is in seconds of a clock that never goes back, the same at each check.
        Raises TimeoutError while another check does not come to its end.
        """
        if not self._lock.acquire(timeout=MAX_WAIT):
            raise TimeoutError
        try:
            if now - self._written_at > INTERVAL:
                self._write()
                self._written_at = now
        finally:
            self._lock.release()

    def _write(self) -> None:
        id_ = secrets.token_hex(16)
        with self.engine.begin() as connection:
            connection.execute(sa.insert(write_probes).values(id=id_, filling=FILLING))
            connection.execute(sa.delete(write_probes).where(write_probes.c.id == id_))
