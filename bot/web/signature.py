"""Verification of Slack's requests: whether Slack signed exactly these bytes, just now, or why not.

Knows the secret and raw bytes, and nothing of what a request means. Neither a body nor a signature
nor the secret is in anything that it returns.
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Any, assert_never
from urllib.parse import parse_qsl, quote

from bot.domain.slack import CLOCK_SKEW
from bot.messages.slack_delivery import (
    FORGED,
    NOT_THIS_APP,
    clock_is_off,
    or_lost,
    replayed,
    rewritten,
    wrong_path,
)

Clock = Callable[[], datetime]

UTC_NOW: Clock = partial(datetime.now, UTC)

TIMESTAMP_HEADER = "X-Slack-Request-Timestamp"
SIGNATURE_HEADER = "X-Slack-Signature"
TIMESTAMP = re.compile(r"[0-9]{1,11}")
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
# How long a secret is valid beside the one that took its place. Slack may sign with it for as long.
OVERLAP = timedelta(hours=24)
FORM = "application/x-www-form-urlencoded"

# Anybody can send what has the shape of Slack's headers. So few a minute, and small ones, are
# examined further: that takes a dozen hashes, and at worst 50 ms.
EXAMINED_A_MINUTE = 5
EXAMINED_BYTES = 16 * 1024
FIELDS = 100  # in a form; a command of Slack's has about fifteen

# What encoders leave unescaped in a form besides letters, digits, "-", "_" and ".": PHP's nothing,
# the standard's, Java's and browsers', JavaScript's encodeURIComponent.
UNESCAPED = ("", "~", "*", "!~*'()")


class Finding(StrEnum):
    """What a request turned out to be; the values are labels of a metric."""

    GENUINE = "genuine"
    UNSIGNED = "unsigned"  # without Slack's headers: somebody else, and no fault of ours
    CLOCK = "clock"
    REPLAYED = "replayed"
    REWRITTEN = "rewritten"
    FORGED = "forged"
    SECRET = "secret"  # noqa: S105 - a label
    PATH = "path"  # genuine, at another path than ours

    @property
    def is_proven(self) -> bool:
        """Whether the secret proves it. Anybody can send what is found to be any of the others."""
        match self:
            case (
                Finding.GENUINE
                | Finding.CLOCK
                | Finding.REPLAYED
                | Finding.REWRITTEN
                | Finding.PATH
            ):
                return True
            case Finding.UNSIGNED | Finding.FORGED | Finding.SECRET:
                return False
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and in a sentence what is wrong and what to do; "" where nothing is."""

    finding: Finding
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last request that was refused, and when."""

    verdict: Verdict
    at: datetime


class RequestVerifier:
    """Verifies requests with the signing secret, and counts what it found since the start."""

    def __init__(self, secret: str, clock: Clock = UTC_NOW) -> None:
        self.counts: Counter[Finding] = Counter()
        self._secret = secret.encode()
        self._is_secret_proven = False  # by a request that was signed with it
        self._previous = b""  # the last one but the present that was proven
        self._previous_until = datetime.min.replace(tzinfo=UTC)
        self._clock = clock
        self._is_any_proven = False
        self._last_genuine: datetime | None = None
        self._last_refusal: Refusal | None = None
        self._examined: Counter[int] = Counter()  # by minute; only the present one is there

    def use_secret(self, secret: str) -> None:
        """Verify with another secret from now on; the one before is valid for OVERLAP more.

        One that no request was proven with is not valid any more, as when it was mistyped, and the
        one before that keeps its time.
        """
        replacement = secret.encode()
        is_proven = bool(self._previous) and replacement == self._previous
        if self._is_secret_proven:
            self._previous, self._previous_until = self._secret, self._clock() + OVERLAP
        self._secret, self._is_secret_proven = replacement, is_proven

    def verify(self, headers: Mapping[str, str], body: bytes, *, lost_at: str = "") -> Verdict:
        """Return what a request is, and count it; ``lost_at`` is its path where that is not ours.

        Only what was signed with the secret within the last five minutes, over exactly these bytes
        and for our path, is genuine.
        """
        verdict = self._judge(headers, body)
        if verdict.finding is Finding.GENUINE:
            self._last_genuine = self._clock()
            if lost_at:
                verdict = Verdict(Finding.PATH, wrong_path(lost_at))
        self.counts[verdict.finding] += 1
        if verdict.problem:
            self._last_refusal = Refusal(verdict, self._clock())
        return verdict

    def summary(self) -> dict[str, Any]:
        """Return how many requests were genuine since the start, and the last that was refused.

        Nothing of those that Slack's headers are missing from: anybody sends them.
        """
        summary: dict[str, Any] = {"genuine": self.counts[Finding.GENUINE]}
        if self._last_genuine:
            summary["last_genuine"] = self._last_genuine.isoformat()
        if last := self._last_refusal:
            ignored = self.counts[Finding.GENUINE] + self.counts[Finding.UNSIGNED]
            summary |= {
                "refused": self.counts.total() - ignored,
                "last_refused": last.at.isoformat(),
                "reason": last.verdict.finding,
                "problem": last.verdict.problem,
            }
        return summary

    def _judge(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        timestamp = headers.get(TIMESTAMP_HEADER, "")
        signature = headers.get(SIGNATURE_HEADER, "")
        if not (TIMESTAMP.fullmatch(timestamp) and SIGNATURE.fullmatch(signature)):
            return Verdict(Finding.UNSIGNED)
        if self._is_signed(timestamp, signature, body):
            return self._judge_time(timedelta(seconds=self._clock().timestamp() - int(timestamp)))
        return self._examine(headers, body)

    def _judge_time(self, age: timedelta) -> Verdict:
        """Judge a request that was signed with the secret by its age, negative if to come."""
        if abs(age) <= CLOCK_SKEW:
            return Verdict(Finding.GENUINE)
        last = self._last_genuine
        if last and abs(self._clock() - last) <= CLOCK_SKEW:
            return Verdict(Finding.REPLAYED, replayed(age))
        return Verdict(Finding.CLOCK, clock_is_off(age))

    def _examine(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Judge a request whose signature does not fit its body.

        It was rewritten where the signature proves what it was before. That it was cut off is
        anybody's guess, and anybody can send what looks so.
        """
        doubt = (
            Verdict(Finding.FORGED, FORGED)
            if self._is_any_proven
            else Verdict(Finding.SECRET, NOT_THIS_APP)
        )
        if not self._may_examine(body):
            return doubt
        timestamp, signature = headers[TIMESTAMP_HEADER], headers[SIGNATURE_HEADER]
        for change, original in originals(body):
            if self._is_signed(timestamp, signature, original):
                return Verdict(Finding.REWRITTEN, rewritten(change))
        if is_whole(headers.get("Content-Type", ""), body):
            return doubt
        return replace(doubt, problem=or_lost(doubt.problem))

    def _is_signed(self, timestamp: str, signature: str, body: bytes) -> bool:
        base = b"v0:" + timestamp.encode() + b":" + body

        def fits(secret: bytes) -> bool:
            expected = "v0=" + hmac.new(secret, base, hashlib.sha256).hexdigest()
            return hmac.compare_digest(expected, signature)

        is_by_present = fits(self._secret)
        self._is_secret_proven |= is_by_present
        is_signed = is_by_present or (self._clock() < self._previous_until and fits(self._previous))
        self._is_any_proven |= is_signed
        return is_signed

    def _may_examine(self, body: bytes) -> bool:
        minute = int(self._clock().timestamp() // 60)
        if minute not in self._examined:
            self._examined.clear()
        self._examined[minute] += 1
        return self._examined[minute] <= EXAMINED_A_MINUTE and len(body) <= EXAMINED_BYTES


def originals(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what a body may have been before it was rewritten, each with how."""
    for end in (b"\n", b"\r\n"):
        yield "a line break at the end is lost", body + end
    yield "a line break or spaces are added", body.strip()
    yield "a byte order mark is added", body.removeprefix(b"\xef\xbb\xbf")
    for encoding, original in (("utf-8", "latin-1"), ("latin-1", "utf-8")):
        try:
            yield "the character encoding is changed", body.decode(encoding).encode(original)
        except UnicodeError:
            continue
    try:
        texts = list(_encoded_json(json.loads(body)))
    except (ValueError, RecursionError):
        yield from (("forms are encoded anew", form) for form in _encoded_forms(body))
    else:
        yield from (("JSON is written anew", text) for text in texts)


def _encoded_json(content: Any) -> Iterator[bytes]:
    """Yield JSON as encoders write it: spaced or not, in ASCII or not, slashes escaped or not."""
    for separators, ascii_only in product(((",", ":"), (", ", ": ")), (True, False)):
        text = json.dumps(content, separators=separators, ensure_ascii=ascii_only)
        for variant in (text, text.replace("/", "\\/")):
            yield variant.encode(errors="surrogatepass")


def _encoded_forms(body: bytes) -> Iterator[bytes]:
    """Yield a form as encoders write it: what they leave unescaped, and a space how."""
    try:
        text = body.decode(errors="surrogateescape")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        return
    escape = partial(quote, safe="", errors="surrogateescape")
    form = "&".join(f"{escape(name)}={escape(value)}" for name, value in fields)
    form = form.replace("~", "%7E")
    for unescaped, space in product(UNESCAPED, ("+", "%20")):
        variant = form.replace("%20", space)
        for character in unescaped:
            variant = variant.replace(f"%{ord(character):02X}", character)
        yield variant.encode()


def is_whole(content_type: str, body: bytes) -> bool:
    """Return whether a body is what its content type says: a form of Slack's, or else JSON."""
    text = body.decode(errors="replace")
    try:
        if content_type.partition(";")[0].strip().lower() == FORM:
            fields = dict(parse_qsl(text, keep_blank_values=True))
            if "payload" not in fields:
                return not fields.keys().isdisjoint({"command", "ssl_check"})
            text = fields["payload"]
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
