"""The key that heads of the audit are signed with: whoever has only the database lacks it.

An engine carries the key among its execution options, so that each connection of it can sign.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

OPTION = "audit_key"


@dataclass(frozen=True, slots=True)
class AuditKey:
    """Signs heads, and tells which it has signed."""

    secret: str = field(repr=False)

    def sign(self, number: int, record_hash: str) -> str:
        """Return the signature of the head that counts so many records and ends in this hash."""
        head = f"secmaster-bot audit {number} {record_hash}"
        return hmac.new(self.secret.encode(), head.encode(), hashlib.sha256).hexdigest()

    def has_signed(self, number: int, record_hash: str, signature: str) -> bool:
        """Return whether a signature is this head's, by this key."""
        expected = self.sign(number, record_hash)
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


def use_key(engine: sa.Engine, key: AuditKey | None) -> None:
    """Have all connections of an engine sign, and check signatures, with a key; None with none."""
    engine.update_execution_options(**{OPTION: key})


def key_of(source: sa.Engine | sa.Connection) -> AuditKey | None:
    """Return the key of an engine or a connection."""
    options: Any = source.get_execution_options()
    key: AuditKey | None = options.get(OPTION)
    return key
