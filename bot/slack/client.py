"""Slack's client, which watches the answers to all of our calls: the token, scopes, warnings.

While Slack refuses the token no call is made but the one that asks whether it is taken again. A
workspace of an enterprise that refuses it is no more than a place that is closed.
Bolt makes clients of its own for its listeners, which call nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.messages.slack_delivery import token_advice
from bot.runtime.clock import Clock
from bot.runtime.outage import Outage
from bot.slack.error_codes import (
    OF_A_WORKSPACE,
    WORKSPACE_CLOSED,
    SlackErrorKind,
    is_known,
    kind_of,
)
from bot.slack.measured import CallOutcome, OnCall, SlackMethod, ignore

log = logging.getLogger(__name__)

MAX_RETRY_AFTER = 60.0  # seconds: for longer nobody waits, whatever Retry-After says
CHECK_INTERVAL = 60.0  # seconds between two questions whether a refused token is taken again
CHECK_METHOD = "auth.test"
# Seconds for which its answer holds for whoever is refused by a workspace, and asks the same.
CHECK_HOLDS = 1.0
# How the text of a call is encoded, which the SDK decides: nothing is lost by it.
HARMLESS_WARNINGS = frozenset({"missing_charset", "superfluous_charset"})
MAX_REASON = 200  # characters of a sentence of Slack's that are logged


def code_of(error: SlackApiError) -> str:
    """Return Slack's word for an error; "" where its answer could not be read."""
    return str(_answer(error).get("error") or "")


def reasons_of(error: SlackApiError) -> list[str]:
    """Return Slack's own sentences about a refusal, as it gives them about blocks."""
    answer = _answer(error)
    metadata = answer.get("response_metadata") or {}
    reasons = [*(metadata.get("messages") or ()), *(answer.get("errors") or ())]
    return [str(reason)[:MAX_REASON] for reason in reasons]


def _answer(error: SlackApiError) -> dict[str, Any]:
    """Return what Slack answered; empty for a page or a text, as a proxy's."""
    answer = getattr(error.response, "data", error.response)
    return answer if isinstance(answer, dict) else {}


class TokenHealth:
    """Whether Slack takes our token: ``refusal`` is the code with which it refuses it, else "".

    ``outage`` is since when, as whoever watches the token noticed it.
    """

    def __init__(self) -> None:
        self.refusal = ""
        self.outage = Outage()
        self._refused = asyncio.Event()
        self._accepted = asyncio.Event()
        self._accepted.set()

    def refuse(self, code: str) -> None:
        """Record that Slack refuses the token."""
        self.refusal = code
        self._accepted.clear()
        self._refused.set()

    def accept(self) -> None:
        """Record that Slack takes the token."""
        self.refusal = ""
        self.outage = Outage()
        self._refused.clear()
        self._accepted.set()

    async def until_refused(self) -> None:
        """Wait until the token is refused."""
        await self._refused.wait()

    async def until_accepted(self) -> None:
        """Wait until the token is taken."""
        await self._accepted.wait()


class SlackClient(AsyncWebClient):
    """Slack's client for all of our own calls. ``token_health`` is what its answers say.

    ``on_call`` is told how each call ended.
    """

    def __init__(self, on_call: OnCall = ignore, **options: Any) -> None:
        super().__init__(**options)
        self.proxy = None  # which it reads from the environment, and the session chooses
        self.on_call = on_call
        self.token_health = TokenHealth()
        self._logged: set[tuple[str, ...]] = set()
        self._check: asyncio.Task[AsyncSlackResponse] | None = None
        self._checked_at = 0.0  # by the loop's time

    async def api_call(self, api_method: str, **options: Any) -> AsyncSlackResponse:
        """Call a method; raises SlackApiError, without a call while the token is refused.

        Its code is WORKSPACE_CLOSED where one workspace refuses what Slack takes elsewhere.
        """
        refusal, token = self.token_health.refusal, self.token
        if refusal and api_method != CHECK_METHOD:
            raise _refused(refusal)
        try:
            response = await self._measured_call(api_method, options)
        except SlackApiError as error:
            code = code_of(error)
            if code not in OF_A_WORKSPACE or api_method == CHECK_METHOD:
                self._note_refusal(api_method, error, token)
                raise
            if not await self._is_token_taken():
                raise
            if self._is_first(api_method, code, place := _place(options)):
                details = {"method": api_method, "code": code, "place": place}
                sentence = "Slack refuses the bot one workspace"
                log.error(sentence, extra=details | {"to_do": token_advice(code)})  # noqa: TRY400
            raise _refused(WORKSPACE_CLOSED) from error
        if api_method == CHECK_METHOD:
            self.token_health.accept()
        self._note_warning(api_method, response)
        return response

    async def _measured_call(self, api_method: str, options: dict[str, Any]) -> AsyncSlackResponse:
        """Call a method, and tell how that ended and how long it took."""
        began, outcome = time.monotonic(), CallOutcome.UNREACHABLE
        try:
            response = await super().api_call(api_method, **options)
            outcome = CallOutcome.OK
        except SlackApiError as error:
            outcome = CallOutcome.of(kind_of(code_of(error)))
            raise
        except asyncio.CancelledError:
            outcome = CallOutcome.ABANDONED
            raise
        finally:
            method, seconds = SlackMethod.named(api_method), time.monotonic() - began
            self.on_call(method, outcome, seconds)
            facts = {"method": method, "outcome": outcome, "ms": round(seconds * 1000)}
            log.debug("Slack was called", extra=facts)
        return response

    def use_token(self, token: str) -> None:
        """Use another token of the same bot from now on, which Slack was seen to take."""
        self.token = token
        self.token_health.accept()

    async def watch_token(self, clock: Clock, on_accepted: Callable[[], None]) -> None:
        """Say when Slack begins to refuse the token, and ask once a minute whether it still does.

        ``on_accepted`` is called when it takes it again. Never ends.
        """
        health = self.token_health
        while True:
            await health.until_refused()
            code = health.refusal
            health.outage.note(code, clock.now())
            log.critical(
                "Slack refuses the bot's token: nothing is posted until it takes it again",
                extra={"code": code, "to_do": token_advice(code)},
            )
            checking = asyncio.create_task(self._check_token(clock))
            try:
                await health.until_accepted()
            finally:
                checking.cancel()
            log.warning("Slack takes the bot's token again", extra={"code": code})
            on_accepted()

    async def _check_token(self, clock: Clock) -> None:
        """Ask once a minute whether Slack takes the token; its answer is noted. Never ends."""
        while True:
            await clock.sleep(CHECK_INTERVAL)
            with suppress(SlackClientError, aiohttp.ClientError, TimeoutError):
                await self.auth_test()

    async def _is_token_taken(self) -> bool:
        """Ask Slack, once for all who are refused at a time; raises what that call raises."""
        now = asyncio.get_running_loop().time()
        if self._check is None or (self._check.done() and now - self._checked_at > CHECK_HOLDS):
            self._checked_at = now
            self._check = asyncio.create_task(self.auth_test())
            # Nobody may be left to hear of its error.
            self._check.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            # Shielded: the first caller may be cancelled while others wait for the same answer.
            await asyncio.shield(self._check)
        except SlackApiError:
            if not self.token_health.refusal:
                raise
        return not self.token_health.refusal

    def _note_refusal(self, method: str, error: SlackApiError, token: str | None) -> None:
        """Log, once each, what only whoever runs the bot can mend; ``token`` was sent."""
        code = code_of(error)
        if kind_of(code) is SlackErrorKind.TOKEN_REFUSED:
            if token == self.token:  # it may have been replaced meanwhile
                self.token_health.refuse(code)
        elif kind_of(code) is SlackErrorKind.SCOPE_MISSING:
            scope = str(_answer(error).get("needed") or "")
            if self._is_first(method, code, scope):
                details = {"method": method, "scope": scope, "to_do": "reinstall the app with it"}
                log.error("the app lacks a scope", extra=details)
        elif not is_known(code) and self._is_first(method, code):
            log.error("an error code of Slack's is unknown", extra={"method": method, "code": code})

    def _note_warning(self, method: str, response: AsyncSlackResponse) -> None:
        """Log once what Slack did not take of a call that it answered well.

        Of a message's metadata that is our mark, by which the message is found after a crash.
        """
        warnings = set(str(response.get("warning") or "").split(",")) - {""} - HARMLESS_WARNINGS
        metadata = response.get("response_metadata") or {}
        for warning in sorted(warnings):
            if self._is_first(method, warning):
                reasons = [str(each)[:MAX_REASON] for each in metadata.get("messages") or ()]
                details = {"method": method, "warning": warning, "reasons": reasons}
                log.error("Slack did not take all of a call", extra=details)

    def _is_first(self, *kind: str) -> bool:
        is_first = kind not in self._logged
        self._logged.add(kind)
        return is_first


def _refused(code: str) -> SlackApiError:
    answer = {"ok": False, "error": code}
    error: SlackApiError = SlackApiError("refused", answer)  # type: ignore[no-untyped-call]  # it has no types
    return error


def _place(options: dict[str, Any]) -> str:
    """Return the workspace that a call names, or else the channel; "" for none."""
    arguments = [options.get(kind) for kind in ("params", "json", "data")]
    values = [
        each.get(key)
        for key in ("team_id", "channel")
        for each in arguments
        if isinstance(each, dict)
    ]
    return str(next(filter(None, values), ""))
