"""What a request of Slack's turns out to be: genuine, or why not."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.web.signature import (
    EXAMINED_A_MINUTE,
    EXAMINED_BYTES,
    OVERLAP,
    Finding,
    RequestVerifier,
    Verdict,
)
from tests.support.examples import examples

SECRET = "demo-signing-secret"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
FIELDS = {
    "command": "/secmaster",
    "text": "approve “Blöck 203.0.113.77*” ~now (it's fine!)",
    "response_url": "https://hooks.example/x",
    "thread_ts": "",
}
COMMAND = urlencode(FIELDS).encode()
EVENT_FIELDS = {
    "type": "event_callback",
    "event": {"type": "app_mention", "text": "<@U0BOT> “blöck” 🙂 https://x.example/a"},
}
# As Slack writes it: compact, in ASCII, with its slashes escaped.
EVENT = json.dumps(EVENT_FIELDS, separators=(",", ":")).replace("/", "\\/").encode()


def signed(
    body: bytes, stamp: Any = None, kind: str = FORM, secret: str = SECRET
) -> dict[str, str]:
    """The headers that Slack sends with a body."""
    stamp = int(NOW.timestamp()) if stamp is None else stamp
    base = f"v0:{stamp}:".encode() + body
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": str(stamp),
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": kind,
    }


@pytest.fixture
def now() -> list[datetime]:
    """The verifier's time, which a test may set."""
    return [NOW]


@pytest.fixture
def verifier(now: list[datetime]) -> RequestVerifier:
    return RequestVerifier(SECRET, lambda: now[0])


def test_what_slack_signed_within_five_minutes_is_genuine(verifier: RequestVerifier) -> None:
    for age in (0, 300, -300):
        verdict = verifier.verify(signed(COMMAND, int(NOW.timestamp()) - age), COMMAND)
        assert verdict == Verdict(Finding.GENUINE)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Request-Timestamp": "1772366400"},
        {"X-Slack-Signature": "v0=" + "0" * 64},
        signed(COMMAND) | {"X-Slack-Signature": "v0="},
        signed(COMMAND) | {"X-Slack-Signature": signed(COMMAND)["X-Slack-Signature"].upper()},
        signed(COMMAND, "9" * 12),
        signed(COMMAND, "now"),
        signed(COMMAND, ""),
    ],
)
def test_what_lacks_the_shape_of_slacks_headers_is_somebody_elses(
    verifier: RequestVerifier, headers: dict[str, str]
) -> None:
    assert verifier.verify(headers, COMMAND) == Verdict(Finding.UNSIGNED)
    assert verifier.summary() == {"genuine": 0}


@pytest.mark.parametrize(
    ("age", "words"),
    [(12 * 60, "12 min ahead of"), (-12 * 60, "12 min behind"), (10**9, "days ahead of")],
)
def test_a_clock_that_is_off_is_named_with_its_direction(
    verifier: RequestVerifier, age: int, words: str
) -> None:
    verdict = verifier.verify(signed(COMMAND, int(NOW.timestamp()) - age), COMMAND)
    assert verdict.finding is Finding.CLOCK
    assert f"{words} Slack's" in verdict.problem


def test_one_that_is_late_among_others_in_time_is_no_fault_of_the_clock(
    verifier: RequestVerifier, now: list[datetime]
) -> None:
    verifier.verify(signed(COMMAND), COMMAND)
    late = signed(COMMAND, int(NOW.timestamp()) - 720)
    assert verifier.verify(late, COMMAND).finding is Finding.REPLAYED
    now[0] += timedelta(minutes=6)
    assert verifier.verify(late, COMMAND).finding is Finding.CLOCK


def accepts(verifier: RequestVerifier, now: datetime, secret: str) -> bool:
    headers = signed(COMMAND, int(now.timestamp()), secret=secret)
    return verifier.verify(headers, COMMAND).finding is Finding.GENUINE


def test_a_mistyped_secret_neither_ends_the_time_of_the_one_before_nor_is_valid_after(
    verifier: RequestVerifier, now: list[datetime]
) -> None:
    assert accepts(verifier, now[0], SECRET)
    verifier.use_secret("mistyped")
    assert accepts(verifier, now[0], SECRET)
    now[0] += timedelta(hours=1)
    verifier.use_secret("new")
    assert not accepts(verifier, now[0], "mistyped")
    now[0] += OVERLAP - timedelta(hours=1, seconds=1)
    assert accepts(verifier, now[0], SECRET)
    now[0] += timedelta(seconds=1)
    assert not accepts(verifier, now[0], SECRET)
    assert accepts(verifier, now[0], "new")


def test_a_secret_that_is_put_back_is_proven_already(
    verifier: RequestVerifier, now: list[datetime]
) -> None:
    assert accepts(verifier, now[0], SECRET)
    for secret in ("mistyped", SECRET, "new"):
        verifier.use_secret(secret)
    assert accepts(verifier, now[0], SECRET)
    assert accepts(verifier, now[0], "new")
    verifier.use_secret("newer")
    assert [accepts(verifier, now[0], secret) for secret in (SECRET, "new")] == [False, True]


def test_a_secret_that_nothing_was_signed_with_is_not_valid_once_it_is_replaced(
    verifier: RequestVerifier, now: list[datetime]
) -> None:
    verifier.use_secret("new")
    assert [accepts(verifier, now[0], secret) for secret in (SECRET, "", "new")] == [
        False,
        False,
        True,
    ]


def test_a_signature_by_another_secret_is_told_by_whether_ours_ever_fitted(
    verifier: RequestVerifier,
) -> None:
    other = signed(COMMAND, secret="of-another-app")
    assert verifier.verify(other, COMMAND).finding is Finding.SECRET
    stale = signed(COMMAND, int(NOW.timestamp()) - 3600, secret="of-another-app")
    assert verifier.verify(stale, COMMAND).finding is Finding.SECRET
    # One of another time has the right signature all the same: the secret is this app's.
    verifier.verify(signed(COMMAND, int(NOW.timestamp()) - 3600), COMMAND)
    assert verifier.verify(other, COMMAND).finding is Finding.FORGED


def encoded(escape: Any) -> bytes:
    return "&".join(f"{escape(k)}={escape(v)}" for k, v in FIELDS.items()).encode()


ANEW = "forms are encoded anew"
JSON_ANEW = "JSON is written anew"
REWRITINGS: list[tuple[str, bytes, bytes, str]] = [
    (ANEW, COMMAND, encoded(quote), FORM),
    (ANEW, COMMAND, encoded(lambda text: quote(text, safe="")), FORM),
    (ANEW, COMMAND, encoded(lambda text: quote_plus(text, safe="!~*'()")), FORM),
    (
        ANEW,
        COMMAND,
        encoded(lambda text: re.sub("%..", lambda code: code[0].lower(), quote_plus(text))),
        FORM,
    ),
    (ANEW, encoded(quote_plus).replace(b"~", b"%7E"), COMMAND, FORM),
    (ANEW, encoded(lambda text: quote(text, safe="!~*'()")), COMMAND, FORM),
    (ANEW, COMMAND, COMMAND.replace(b"~", b"%7e").replace(b"+", b"%20"), FORM),
    (JSON_ANEW, EVENT, json.dumps(EVENT_FIELDS).encode(), "application/json"),
    (JSON_ANEW, EVENT, json.dumps(EVENT_FIELDS, ensure_ascii=False).encode(), "application/json"),
    (JSON_ANEW, EVENT, json.dumps(EVENT_FIELDS, indent=2).encode(), "application/json"),
    (JSON_ANEW, json.dumps(EVENT_FIELDS).encode(), EVENT, "application/json"),
    ("a line break or spaces are added", EVENT, EVENT + b"\r\n", "application/json"),
    ("a line break at the end is lost", EVENT + b"\n", EVENT, "application/json"),
    ("a byte order mark is added", EVENT, b"\xef\xbb\xbf" + EVENT, "application/json"),
    ("character encoding", "{“ü”}".encode(), "{“ü”}".encode().decode("latin-1").encode(), "text"),
    ("character encoding", "ü".encode(), "ü".encode("latin-1"), "application/json"),
]


@pytest.mark.parametrize(("change", "original", "body", "kind"), REWRITINGS)
def test_a_body_that_was_rewritten_is_told_by_how(
    verifier: RequestVerifier, change: str, original: bytes, body: bytes, kind: str
) -> None:
    verdict = verifier.verify(signed(original, kind=kind), body)
    assert verdict.finding is Finding.REWRITTEN
    assert change in verdict.problem
    assert "byte for byte" in verdict.problem


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"", FORM),
        (EVENT[: len(EVENT) // 2], "application/json"),
        (b"payload=%7B%22ty", FORM),
        (COMMAND, "application/json"),
    ],
)
def test_what_only_looks_cut_off_accuses_no_proxy_and_hides_no_forgery(
    verifier: RequestVerifier, body: bytes, kind: str
) -> None:
    stranger = signed(b"other", kind=kind, secret="of-another-app")
    verdict = verifier.verify(stranger, body)
    assert verdict.finding is Finding.SECRET
    assert "SLACK_SIGNING_SECRET is most likely not this app's" in verdict.problem
    assert "; or the body was lost or cut off on its way" in verdict.problem
    verifier.verify(signed(COMMAND), COMMAND)
    verdict = verifier.verify(stranger, body)
    assert verdict.finding is Finding.FORGED
    assert "; or the body was lost or cut off on its way" in verdict.problem


def test_few_a_minute_are_examined_further_and_none_that_is_large(
    verifier: RequestVerifier, now: list[datetime]
) -> None:
    rewritten = EVENT + b"\n", signed(EVENT, kind="application/json")
    for _ in range(EXAMINED_A_MINUTE):
        verifier.verify(signed(COMMAND, secret="other"), COMMAND)
    assert verifier.verify(rewritten[1], rewritten[0]).finding is Finding.SECRET
    now[0] += timedelta(minutes=1)
    large = EVENT + b" " * EXAMINED_BYTES
    assert verifier.verify(signed(EVENT), large).finding is Finding.SECRET
    assert verifier.verify(rewritten[1], rewritten[0]).finding is Finding.REWRITTEN


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe", b'{"a": "\\ud800"}', b"9" * 5000])
def test_garbage_is_examined_without_an_error(verifier: RequestVerifier, body: bytes) -> None:
    body = body[:EXAMINED_BYTES]
    for kind in (FORM, "application/json"):
        assert verifier.verify(signed(b"other", kind=kind), body).finding is Finding.SECRET


HEADER = st.text(st.characters(codec=None)) | st.text(st.sampled_from("0123456789٠²v=_-. ab\udcff"))


@examples(300)
@example("9" * 15, "v0=\udcff", b"")
@example("1", "\udcff", b"")
@given(HEADER, HEADER, st.binary())
def test_whatever_is_sent_unsigned_is_not_genuine(stamp: str, mark: str, body: bytes) -> None:
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": mark}
    assert RequestVerifier(SECRET).verify(headers, body).finding is not Finding.GENUINE


@examples(100)
@given(st.binary(), st.integers(0, 10**10), st.integers(-300, 300))
def test_only_these_bytes_within_five_minutes_by_this_secret_are_genuine(
    body: bytes, stamp: int, age: int
) -> None:
    def finding(body_read: bytes, *, at: float, secret: str = SECRET) -> Finding:
        verifier = RequestVerifier(secret, lambda: datetime.fromtimestamp(at, UTC))
        return verifier.verify(signed(body, stamp), body_read).finding

    assert finding(body, at=stamp + age) is Finding.GENUINE
    assert finding(body, at=stamp + 301) is Finding.CLOCK
    assert finding(body + b"x", at=stamp) is not Finding.GENUINE
    assert finding(body, at=stamp, secret="other") is not Finding.GENUINE


@examples(200)
@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1))
def test_a_form_that_python_encodes_anew_is_told(fields: dict[str, str]) -> None:
    original = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in fields.items())
    body = urlencode(parse_qsl(original, keep_blank_values=True)).encode()
    verdict = RequestVerifier(SECRET, lambda: NOW).verify(signed(original.encode()), body)
    assert verdict.finding is (Finding.GENUINE if body == original.encode() else Finding.REWRITTEN)
