"""A client of the local SecMaster, and a signer by the published rules, without the bot's code."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

SOC = "/v1/demo-project/workspaces/demo-workspace/soc"


class Caller:
    """The few calls the tests make, each by SecMaster's name for it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def show(self, task_id: str) -> dict[str, Any]:
        response = await self.http.get(f"{SOC}/tasks/{task_id}")
        task: dict[str, Any] = response.json()["data"]
        return task

    async def tasks(self, **query: str | int) -> httpx.Response:
        return await self.http.get(f"{SOC}/tasks", params=query)

    async def update(self, task_id: str, action: str | None = None, **rest: Any) -> httpx.Response:
        body = rest if action is None else {"action": action, **rest}
        return await self.http.put(f"{SOC}/tasks/{task_id}", json=body)

    async def instance(self, instance_id: str, **query: str) -> httpx.Response:
        return await self.http.get(f"{SOC}/workflows/instances/{instance_id}", params=query)

    async def instances(self, **query: str | int) -> httpx.Response:
        return await self.http.get(f"{SOC}/workflows/instances", params=query)

    async def command(self, instance_id: str, command: str, **rest: Any) -> httpx.Response:
        body = {"command_type": f"ActionInstance{command}Command", **rest}
        return await self.http.put(f"{SOC}/workflows/instances/{instance_id}", json=body)

    async def upload(self, name: str, content: bytes, **fields: str) -> httpx.Response:
        form = {"fileType": "user_task"} | fields
        return await self.http.post(
            f"{SOC}/attachment/upload", data=form, files={"uploadFile": (name, content)}
        )

    async def control(self, path: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/_sandbox/{path}", json=body)


def signed(
    url: str,
    *,
    method: str = "GET",
    body: Any = None,
    at: datetime | None = None,
    ak: str = "demo-ak",
    sk: str = "demo-sk",
    **headers: str,
) -> httpx.Request:
    """A signed request; ``headers`` with underscores are signed along with the usual ones."""
    content = b"" if body is None else json.dumps(body).encode()
    target = httpx.URL(url)
    names = {"x-project-id": "demo-project"}
    names |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
    names["host"] = target.netloc.decode()
    names["x-sdk-date"] = f"{at or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names["content-type"] = names.get("content-type", "application/json;charset=UTF-8")
    signed_headers = ";".join(sorted(names))
    canonical = "\n".join(
        [
            method,
            quote(target.path, safe="/-._~") + "/",
            "&".join(
                f"{quote(key, safe='-._~')}={quote(value, safe='-._~')}"
                for key, value in sorted(target.params.multi_items())
            ),
            "".join(f"{name}:{names[name]}\n" for name in sorted(names)),
            signed_headers,
            names.get("x-sdk-content-sha256", hashlib.sha256(content).hexdigest()),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"SDK-HMAC-SHA256\n{names['x-sdk-date']}\n{digest}"
    signature = hmac.new(sk.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    proof = f"SDK-HMAC-SHA256 Access={ak}, SignedHeaders={signed_headers}, Signature={signature}"
    return httpx.Request(method, target, headers=names | {"authorization": proof}, content=content)
