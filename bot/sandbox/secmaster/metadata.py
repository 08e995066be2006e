"""The metadata of the ECS that a caller runs on: where an agency's temporary keys come from.

https://support.huaweicloud.com/intl/en-us/usermanual-ecs/ecs_03_0166.html
"""

from datetime import datetime, timedelta

from aiohttp import web

from bot.sandbox.secmaster.authentication import Authenticator, KeyPair
from bot.sandbox.secmaster.wire import Clock

TOKEN_HEADER = "X-Metadata-Token"  # noqa: S105 -- the name of a header
NO_AGENCY = "Please configure Cloud Service Agency first"
# When new keys are given out in the place of those that end is not documented.
AHEAD = timedelta(minutes=10)


class Metadata:
    """Gives out keys that last for ``life``.

    ``has_agency`` and ``insists_on_token`` are how the machine is set up. While it is not
    ``is_up`` it answers with 500. ``asked`` counts the times that keys were asked for.
    """

    def __init__(self, authenticator: Authenticator, clock: Clock) -> None:
        self.life = timedelta(hours=24)
        self.has_agency = True
        self.insists_on_token = True
        self.is_up = True
        self.asked = 0
        self._authenticator = authenticator
        self._clock = clock
        self._tokens: dict[str, datetime] = {}
        self._keys: KeyPair | None = None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put("/meta-data/latest/api/token", self.token),
            web.get("/openstack/latest/securitykey", self.keys),
        ]

    async def token(self, request: web.Request) -> web.Response:
        """Give out a token for further questions; a machine that insists on none knows of none."""
        life = request.headers.get(f"{TOKEN_HEADER}-Ttl-Seconds", "")
        if not self.insists_on_token:
            return web.Response(status=404)
        if not life.isdecimal():
            return web.Response(status=400)
        token = f"metadata-token-{len(self._tokens)}"
        self._tokens[token] = self._clock() + timedelta(seconds=int(life))
        return web.Response(text=f"{token}\n")

    async def keys(self, request: web.Request) -> web.Response:
        """Give out the agency's keys: the same ones, until they are soon to end."""
        self.asked += 1
        now = self._clock()
        if not self.is_up:
            return web.Response(status=500)
        token_ends = self._tokens.get(request.headers.get(TOKEN_HEADER, ""))
        if self.insists_on_token and (token_ends is None or token_ends <= now):
            return web.Response(status=401, text="Unauthorized")
        if not self.has_agency:
            return web.Response(status=401, text=NO_AGENCY)
        if self._keys is None or self._keys.ends_at is None or self._keys.ends_at - now < AHEAD:
            self._keys = self._authenticator.issue_keys(self.life)
        credential = {
            "access": self._keys.ak,
            "secret": self._keys.sk,
            "securitytoken": self._keys.security_token,
            "expires_at": f"{self._keys.ends_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        return web.json_response({"credential": credential})

    def revoke(self) -> None:
        """Have the keys refused from now on, and others given out."""
        self._authenticator.revoke()
        self._keys = None
