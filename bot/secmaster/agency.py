"""Sign in with the agency of the ECS that the bot runs on: temporary keys, renewed in time.

The keys come from the machine's metadata, which only the machine itself can ask for, so there is
no secret to look after.

https://support.huaweicloud.com/intl/en-us/usermanual-ecs/ecs_03_0166.html
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

import httpx

from bot.network import STRAIGHT
from bot.secmaster.auth import Clock, OpenClient, RenewingAuth, SigningAuth, now
from bot.secmaster.errors import Forbidden
from bot.secmaster.replies import METADATA, broken, read
from bot.secmaster.values import moment
from bot.secmaster.wire import base_url

# Link-local: it answers within milliseconds, or there is nobody.
TIMEOUT = httpx.Timeout(3)
# For one question. A machine may insist on a token; one that knows of none answers with these.
TOKEN_LIFE = 60  # seconds
NO_TOKENS = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

NO_AGENCY = (
    "this machine has no agency: give the ECS one (its page in the console, Management "
    "Information, Agency), or sign in another way"
)

Signer = Callable[[str, str, str], SigningAuth]


@dataclass(frozen=True, repr=False)
class _Keys:
    access: str
    secret: str
    token: str
    expires: datetime | None
    signer: SigningAuth = field(compare=False)

    async def sign(self, request: httpx.Request) -> None:
        await self.signer.sign(request)


class AgencyAuth(RenewingAuth):
    """Get temporary keys from an ECS's metadata, share them, and renew them before their end.

    ``signer`` makes what signs with an access key, its secret and a security token.
    ``open_client`` opens what asks the metadata, which must not use a proxy; it is closed after
    each answer.
    """

    def __init__(
        self, endpoint: str, signer: Signer, *, open_client: OpenClient, clock: Clock = now
    ) -> None:
        super().__init__(self._request_keys, clock)
        self._base = base_url(endpoint)
        self._signer = signer
        self._open_client = open_client

    async def _request_keys(self) -> _Keys:
        """Ask for keys as Huawei's SDK does; raises SecMasterError."""
        token_headers = {"X-Metadata-Token-Ttl-Seconds": str(TOKEN_LIFE)}
        response = await self._ask("PUT", "/meta-data/latest/api/token", token_headers)
        headers = {}
        if response.is_success:
            headers["X-Metadata-Token"] = response.text.strip()
        elif response.status_code not in NO_TOKENS:
            read(response, METADATA)
        response = await self._ask("GET", "/openstack/latest/securitykey", headers)
        if response.status_code == HTTPStatus.NOT_FOUND or "Agency first" in response.text:
            raise Forbidden(NO_AGENCY, status=response.status_code, unsent=True)
        reply = read(response, METADATA, secrets=headers.values())
        keys = reply.object("credential")
        access, secret, token = (
            str(keys.get(name) or "") for name in ("access", "secret", "securitytoken")
        )
        try:
            signer = self._signer(access, secret, token)
        except ValueError:
            raise reply.unreadable("without usable keys") from None
        return _Keys(access, secret, token, moment(keys.get("expires_at")), signer)

    async def _ask(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        try:
            async with self._open_client() as http:
                return await http.request(
                    method, self._base + path, headers=headers, auth=None, follow_redirects=False
                )
        except (httpx.RequestError, httpx.InvalidURL, ValueError) as error:
            raise broken(error, METADATA.at(self._base, STRAIGHT)) from error
