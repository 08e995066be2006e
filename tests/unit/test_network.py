"""How services are reached: what the settings say, and why a connection does not come about.

What fails here fails over real sockets, once for httpx and once for aiohttp.
"""

import base64
import errno
import re
import shutil
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
import httpx
import pytest

from bot.network import (
    SENTENCES,
    STRAIGHT,
    ConnectionFailure,
    Network,
    NetworkSettingError,
    Proxy,
    ca_ends_at,
    open_network,
    unused_proxy,
)
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from bot.secmaster import (
    AnswerLost,
    Auth,
    Forbidden,
    IamAuth,
    SecMaster,
    SecMasterError,
    SigningAuth,
    TaskAction,
    Unreachable,
    WriteEffect,
    open_http,
)
from bot.slack.connect import address_client, open_slack
from bot.slack.session import NotConnected, open_session
from bot.web.socket_connection import open_connection
from tests.support.authorities import Authority
from tests.support.environment import settings_for
from tests.support.forward_proxy import ENCODED_PASSWORD, FORBIDDEN, forward_proxy
from tests.support.http_stand import StartWire
from tests.support.timeouts import PATIENCE, QUICK_TIMEOUTS

SOON = 0.3  # seconds; what is silent is never heard
LOCKED = f"robot:{ENCODED_PASSWORD}@"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without proxies."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def closed() -> str:
    """Host and port of nobody."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


# What the settings say.


@pytest.mark.parametrize(
    ("address", "url", "pair"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128", ""),
        ("http://proxy.example:3128/", "http://proxy.example:3128", ""),
        ("https://proxy.example", "https://proxy.example", ""),
        ("http://[::1]:3128", "http://[::1]:3128", ""),
        ("http://robot:secret@proxy.example:1", "http://proxy.example:1", "robot:secret"),
        ("http://dom%5Crobot:s%40c%2Fr%3At%25@p:1", "http://p:1", "dom\\robot:s@c/r:t%"),
        ("http://robot:s@c:t@p:1", "http://p:1", "robot:s@c:t"),
        ("http://robot@p:1", "http://p:1", "robot:"),
        ("http://robot:%C3%A9@p:1", "http://p:1", "robot:é"),
    ],
)
def test_a_proxys_address_is_read_and_its_password_goes_into_the_header(
    address: str, url: str, pair: str
) -> None:
    proxy = Proxy.parse(address, "SLACK_PROXY")
    header = f"Basic {base64.b64encode(pair.encode()).decode()}" if pair else ""
    assert (proxy.url, proxy.authorization) == (url, header)
    assert "Basic" not in repr(proxy)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("socks5://robot:secret@p:1080", "SLACK_PROXY is a SOCKS proxy, which is not supported"),
        ("SOCKS5h://p:1080", "SLACK_PROXY is a SOCKS proxy"),
        ("p:3128", "SLACK_PROXY is not a valid URL: http://user:password@host:port"),
        ("ftp://robot:secret@p:3128", "SLACK_PROXY is not a valid URL"),
        ("http://robot:secret@:3128", "SLACK_PROXY is not a valid URL"),
        ("http://robot:secret@p:0", "SLACK_PROXY is not a valid URL"),
        ("http://robot:secret@p:port", "SLACK_PROXY is not a valid URL"),
        ("http://robot:secret@[p:1", "SLACK_PROXY is not a valid URL"),
        ("http://p:3128/path", "SLACK_PROXY has more than host and port"),
        ("http://robot:sec#ret@p:3128", "SLACK_PROXY "),
        ("http://robot:sec/ret@p:3128", "SLACK_PROXY "),
        ("http://robot/secret@p:3128", "SLACK_PROXY has more than host and port"),
    ],
)
def test_what_is_no_proxy_is_refused_in_words_without_its_value(
    address: str, sentence: str
) -> None:
    with pytest.raises(NetworkSettingError) as caught:
        open_network("SLACK", address)
    assert str(caught.value).startswith(sentence)
    assert "secret" not in str(caught.value)
    assert "sec" not in str(caught.value).lower().replace("secmaster", "")


@pytest.mark.parametrize(
    ("variables", "address", "proxy"),
    [
        ({}, "https://slack.com/api/", ""),
        ({"HTTPS_PROXY": "http://a:1"}, "https://slack.com/api/", "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1"}, "wss://wss-primary.slack.com/link", "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1"}, "http://slack.com/", ""),
        ({"HTTP_PROXY": "http://b:1"}, "http://slack.com/", "http://b:1"),
        ({"HTTP_PROXY": "http://b:1"}, "https://slack.com/", ""),
        ({"ALL_PROXY": "http://c:1"}, "https://slack.com/", ""),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://d:1"}, "https://x/", "http://d:1"),
        ({"HTTPS_PROXY": "a:1"}, "https://slack.com/", "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "slack.com"}, "https://slack.com/", ""),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "x, .slack.com"}, "wss://w.slack.com/", ""),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "lack.com"}, "https://slack.com/", "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "h:8443"}, "https://h:8443/", ""),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "h:8443"}, "https://h/", "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "*"}, "https://slack.com/", ""),
    ],
)
def test_env_is_what_the_environment_says_of_each_host(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], address: str, proxy: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    route = open_network("SLACK", "env").route(address)
    assert (route.proxy.url if route.proxy else "") == proxy
    assert open_network("SLACK").route(address).proxy is None


def test_a_proxy_of_the_environment_that_is_none_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://robot:secret@p:1080")
    with pytest.raises(NetworkSettingError, match=r"^HTTPS_PROXY is a SOCKS proxy"):
        open_network("SLACK", "env")
    open_network("SLACK")


def test_a_proxy_that_is_set_and_not_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unused_proxy(SECMASTER_PROXY="", SLACK_PROXY="") == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://robot:secret@p:1")
    assert unused_proxy(SECMASTER_PROXY="", SLACK_PROXY="") == (
        "HTTPS_PROXY is set and not used: SECMASTER_PROXY=env and SLACK_PROXY=env use it"
    )
    assert unused_proxy(SECMASTER_PROXY="env", SLACK_PROXY="") == (
        "HTTPS_PROXY is set and not used for SLACK: SLACK_PROXY=env uses it"
    )
    assert unused_proxy(SECMASTER_PROXY="http://p:1", SLACK_PROXY="env") == ""


# Certificates that are trusted.


def test_a_file_of_certificates_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "text.pem").write_text("no certificate")
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (tmp_path / "broken.pem").write_text(broken)
    for name in ("missing.pem", "empty.pem", "text.pem", "broken.pem", "."):
        file = tmp_path / name
        with pytest.raises(NetworkSettingError) as caught:
            open_network("SECMASTER", ca_file=file)
        assert str(caught.value).startswith(f"SECMASTER_CA_FILE can't be used: {file}: ")
    assert "No such file" in str(_refusal(tmp_path / "missing.pem"))
    assert "has no certificates in PEM" in str(_refusal(tmp_path / "broken.pem"))


def _refusal(file: Path) -> NetworkSettingError:
    with pytest.raises(NetworkSettingError) as caught:
        open_network("SLACK", ca_file=file)
    return caught.value


def test_a_bundle_is_trusted_besides_the_public_authorities(
    authority: Authority, tmp_path: Path
) -> None:
    public = len(STRAIGHT.context.get_ca_certs())
    assert public > 50
    other = Authority(tmp_path, "other")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(f"# Für uns\n{authority.file.read_text()}# More\n{other.file.read_text()}")
    both = open_network("SLACK", ca_file=bundle)
    assert len(both.tls.get_ca_certs()) == public + 2
    assert len(STRAIGHT.context.get_ca_certs()) == public
    assert open_network("SECMASTER", ca_file=bundle).tls is both.tls  # made once


def test_when_the_first_authority_of_a_bundle_ends_is_known(
    authority: Authority, tmp_path: Path
) -> None:
    end = ca_ends_at(authority.file)
    assert end is not None
    assert end.tzinfo is UTC
    assert end > datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(OSError, match="No such file"):
        ca_ends_at(tmp_path / "missing.pem")


# Why a connection does not come about: the same in both clients.

Reach = Callable[..., Awaitable[str]]


async def by_httpx(network: Network, url: str, within: float = PATIENCE) -> str:
    """Ask SecMaster, which must not be reached; returns what it says of that."""
    client = SecMaster(
        endpoint=url,
        project_id="demo-project",
        workspace_id="demo-workspace",
        auth=SigningAuth("demo-ak", "demo-sk", project_id="demo-project"),
        timeout=httpx.Timeout(within),
        route=network.route(url),
    )
    async with client:
        with pytest.raises(Unreachable) as caught:
            await client.update_task("task", action=TaskAction.CONTINUE)
    assert caught.value.write_effect is WriteEffect.NONE
    return str(caught.value).removeprefix("SecMaster can't be reached: ")


async def by_aiohttp(network: Network, url: str, within: float = PATIENCE) -> str:
    """Ask Slack, which must not be reached; returns what it says of that."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE, connect=within, sock_connect=within)
    async with open_session(network, timeout) as session:
        with pytest.raises(NotConnected) as caught:
            await session.post(url)
    assert "Basic" not in str(caught.value.__cause__)
    return str(caught.value)


both_clients = pytest.mark.parametrize("reach", [by_httpx, by_aiohttp])


async def served(stack: AsyncExitStack, tls: ssl.SSLContext | None, name: str = "") -> str:
    """Serve a local SecMaster; returns its address."""
    sandbox = SecMasterSandbox()
    await sandbox.start(tls=tls, name=name)
    stack.push_async_callback(sandbox.stop)
    return sandbox.url


@both_clients
async def test_each_thing_that_is_wrong_with_a_certificate_is_told(
    reach: Reach, stack: AsyncExitStack, authority: Authority, tmp_path: Path
) -> None:
    url = await served(stack, authority.server())
    stranger = Authority(tmp_path, "stranger")
    for network in (open_network("SLACK"), open_network("SLACK", ca_file=stranger.file)):
        assert await reach(network, url) == (
            "127.0.0.1's certificate is not trusted: put its authority's certificate into "
            "SLACK_CA_FILE"
        )
    network = open_network("SLACK", ca_file=authority.file)
    url = await served(stack, authority.server("other.example"))
    assert "127.0.0.1's certificate is for another name" in await reach(network, url)
    named = await served(stack, authority.server("other.example"), "localhost")
    assert "localhost's certificate is for another name" in await reach(network, named)
    past = datetime.now(UTC) - timedelta(days=1)
    url = await served(stack, authority.server(ends_at=past))
    assert "127.0.0.1's certificate has expired" in await reach(network, url)


@both_clients
async def test_what_is_not_there_or_says_nothing_is_told(
    reach: Reach, closed: str, wire: StartWire
) -> None:
    network = open_network("SECMASTER")
    assert await reach(network, f"https://{closed}") == (
        f"{closed} refuses the connection: look at the address and its port, and at firewalls; "
        "where only a proxy leads out, set SECMASTER_PROXY"
    )
    assert await reach(network, "https://secmaster.invalid") == (
        "the name secmaster.invalid is not found: correct the address, or look at this machine's "
        "DNS; where only a proxy leads out, set SECMASTER_PROXY"
    )
    silent, _ = await wire(b"", hang_up=False)
    sentence = await reach(network, silent.replace("http:", "https:"), SOON)
    place = silent.removeprefix("http://")
    assert sentence.startswith(f"{place} did not answer in time: look at firewalls")


@both_clients
async def test_each_thing_that_is_wrong_with_a_proxy_is_told(
    reach: Reach, locked_proxy: str, open_proxy: str, closed: str
) -> None:
    url = "https://secmaster.example:9"
    assert await reach(open_network("SLACK", f"http://{locked_proxy}"), url) == (
        "the proxy wants a password: put it into SLACK_PROXY as http://user:password@host:port"
    )
    wrong = open_network("SLACK", f"http://robot:other-secret@{locked_proxy}")
    sentence = await reach(wrong, url)
    assert sentence.startswith("the proxy does not take the name and the password in SLACK_PROXY")
    sentence = await reach(open_network("SLACK", f"http://{open_proxy}"), f"https://{FORBIDDEN}")
    assert sentence.startswith(f"the proxy http://{open_proxy} does not connect to {FORBIDDEN}")
    assert "(403)" in sentence
    for gone in (closed, "proxy.invalid:3128"):
        assert await reach(open_network("SLACK", f"http://robot:secret@{gone}"), url) == (
            f"the proxy http://{gone} can't be reached: correct SLACK_PROXY, or look at the proxy"
        )


@both_clients
async def test_a_proxy_asks_for_its_password_without_a_tunnel_too(
    reach: Reach, locked_proxy: str
) -> None:
    network = open_network("SLACK", f"http://{locked_proxy}")
    sentence = await reach(network, "http://secmaster.example:9")
    assert sentence.startswith("the proxy wants a password: put it into SLACK_PROXY")


@both_clients
async def test_the_environments_proxy_is_named_by_its_variable(
    reach: Reach, locked_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{locked_proxy}")
    sentence = await reach(open_network("SLACK", "env"), "https://secmaster.example:9")
    assert sentence.startswith("the proxy wants a password: put it into HTTPS_PROXY")


def test_every_failure_has_its_sentence_with_and_without_a_proxy() -> None:
    proxy = Proxy.parse("https://robot:secret@p.example:1", "SLACK_PROXY")
    network = Network("SLACK", proxy, STRAIGHT.context)
    straight = open_network("SLACK").route("https://x")
    for failure in ConnectionFailure:
        assert failure in SENTENCES
        routes = [straight, network.route("https://x")]
        for route in routes if "PROXY" in failure.name else [*routes, STRAIGHT]:
            sentence = route.sentence(failure, "x.example")
            assert not re.search(r"[{}]|secret|\s_", sentence), sentence
    other = network.route("https://x").explain(OSError(errno.ENETUNREACH, "secret"), "x.example")
    assert other == "no connection to x.example came about (OSError)"


# What reaches a proxy, and what does not.


def client_of(
    url: str, network: Network, stack: AsyncExitStack, auth: Auth | None = None
) -> SecMaster:
    client = SecMaster(
        endpoint=url,
        project_id="demo-project",
        workspace_id="demo-workspace",
        auth=auth or SigningAuth("demo-ak", "demo-sk", project_id="demo-project"),
        timeout=httpx.Timeout(PATIENCE),
        route=network.route(url),
    )
    stack.push_async_callback(client.aclose)
    return client


@pytest.mark.parametrize("is_encrypted", [True, False], ids=["tunnel", "forwarded"])
async def test_a_write_goes_through_a_proxy_once_and_an_upload_too(
    stack: AsyncExitStack,
    authority: Authority,
    locked_proxy: str,
    *,
    is_encrypted: bool,
) -> None:
    sandbox = SecMasterSandbox()
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    tls = authority.server(ends_at=end) if is_encrypted else None
    await sandbox.start(tls=tls, name="secmaster.example")
    stack.push_async_callback(sandbox.stop)
    network = open_network("SECMASTER", f"http://{LOCKED}{locked_proxy}", authority.file)
    client = client_of(sandbox.url, network, stack)
    await client.update_task(seed.TASK_ISOLATE, action=TaskAction.CONTINUE)
    await client.upload_attachment("report.txt", b"text")
    assert len(sandbox.writes("UpdateTask")) == 1
    assert sandbox.requests[-1].signed_by == "aksk"
    assert client.certificate_ends_at == (end if is_encrypted else None)
    assert "Proxy-Authorization" not in str(sandbox.requests)


async def test_what_breaks_after_it_was_sent_through_a_proxy_is_in_doubt(
    stack: AsyncExitStack, authority: Authority, locked_proxy: str
) -> None:
    sandbox = SecMasterSandbox()
    await sandbox.start(tls=authority.server(), name="secmaster.example")
    stack.push_async_callback(sandbox.stop)
    network = open_network("SECMASTER", f"http://{LOCKED}{locked_proxy}", authority.file)
    client = client_of(sandbox.url, network, stack)
    await sandbox.faults.set(Fault(on="UpdateTask", applied=True, hang_up=True))
    for _ in range(2):  # in a tunnel of its own, and in one that is open
        with pytest.raises(AnswerLost) as caught:
            await client.update_task(
                seed.TASK_ISOLATE, action=TaskAction.ADD_COMMENT, comment="text"
            )
        assert caught.value.in_doubt
        await client.list_tasks()
    assert len(sandbox.writes("UpdateTask")) == 2


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 2", b"\x15\x03\x01", b"HTTP/1.1 503 No\r\n\r\n"]
)
async def test_a_proxy_that_breaks_off_before_there_is_a_tunnel_has_sent_nothing(
    stack: AsyncExitStack, wire: StartWire, answer: bytes
) -> None:
    address, requests = await wire(answer)
    client = client_of("https://secmaster.example", open_network("SECMASTER", address), stack)
    with pytest.raises(Unreachable) as caught:
        await client.update_task("task", action=TaskAction.CONTINUE)
    assert caught.value.write_effect is WriteEffect.NONE
    assert requests[0].startswith(b"CONNECT secmaster.example:443 ")


@both_clients
async def test_a_proxy_that_says_nothing_has_sent_nothing(reach: Reach, wire: StartWire) -> None:
    address, _ = await wire(b"", hang_up=False)
    sentence = await reach(open_network("SECMASTER", address), "https://secmaster.example", SOON)
    assert sentence == f"secmaster.example did not answer in time: look at the proxy {address}"


async def test_a_server_that_breaks_off_in_its_own_place_is_in_doubt(
    stack: AsyncExitStack, wire: StartWire
) -> None:
    address, requests = await wire(b"")  # a forward proxy, which had the request
    client = client_of("http://secmaster.example", open_network("SECMASTER", address), stack)
    with pytest.raises(AnswerLost):
        await client.update_task("task", action=TaskAction.CONTINUE)
    assert requests[0].startswith(b"PUT http://secmaster.example/v1/")


async def test_a_page_that_may_be_the_proxys_is_told_as_such(
    stack: AsyncExitStack, open_proxy: str
) -> None:
    network = open_network("SECMASTER", f"http://{open_proxy}")
    with pytest.raises(Forbidden) as caught:
        await client_of(f"http://{FORBIDDEN}", network, stack).list_tasks()
    assert str(caught.value) == (
        f"SecMaster, or the proxy http://{open_proxy} before it, answered 403 without saying why"
    )
    with pytest.raises(SecMasterError) as failed:  # it finds nobody at that port
        await client_of("http://secmaster.example:9", network, stack).update_task(
            "task", action=TaskAction.CONTINUE
        )
    assert failed.value.write_effect is WriteEffect.POSSIBLE


async def test_iam_is_asked_through_the_proxy(
    stack: AsyncExitStack, authority: Authority, locked_proxy: str
) -> None:
    sandbox = SecMasterSandbox()
    await sandbox.start(tls=authority.server(), name="iam.example")
    stack.push_async_callback(sandbox.stop)
    network = open_network("SECMASTER", f"http://{LOCKED}{locked_proxy}", authority.file)

    def signed_in(network: Network) -> SecMaster:
        route = network.route(sandbox.url)
        names = (sandbox.url, "demo", "demo", "demo", "demo-project")
        auth = IamAuth(*names, open_client=partial(open_http, route=route), route=route)
        return client_of(sandbox.url, network, stack, auth)

    assert (await signed_in(network).list_tasks()).total > 0
    assert sandbox.requests[-1].signed_by == "iam"
    with pytest.raises(Unreachable) as caught:
        await signed_in(open_network("SECMASTER", f"http://{locked_proxy}")).list_tasks()
    assert str(caught.value).startswith("IAM can't be reached: the proxy wants a password")
    assert caught.value.unsent


@both_clients
async def test_no_proxy_is_honoured(
    reach: Reach,
    stack: AsyncExitStack,
    authority: Authority,
    closed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = await served(stack, authority.server())
    monkeypatch.setenv("HTTPS_PROXY", f"http://{closed}")
    network = open_network("SLACK", "env", authority.file)
    assert "can't be reached: correct HTTPS_PROXY" in await reach(network, url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    network = open_network("SLACK", "env", authority.file)
    async with open_session(network) as session, session.get(url) as response:
        assert response.status == 200
    assert (await client_of(url, network, stack).list_tasks()).total > 0


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "http://[no"])
async def test_what_the_environment_says_is_not_used_for_slack_unasked(
    stack: AsyncExitStack, slack: SlackSandbox, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.setenv("http_proxy", address)
    settings = settings_for(slack.url, "http://127.0.0.1:9", "sqlite:///unused.db", socket=True)
    client = await open_slack(settings, stack)
    assert (await client.auth_test())["ok"]
    connection = await open_connection(address_client(client), "xapp-demo", QUICK_TIMEOUTS.socket)
    await connection.close()


async def test_a_proxy_may_be_spoken_to_over_tls_itself(
    stack: AsyncExitStack, authority: Authority
) -> None:
    url = await served(stack, authority.server(), "secmaster.example")
    options = ("--cert-file", str(authority.chain), "--key-file", str(authority.key))
    with forward_proxy(*options) as address:
        network = open_network("SLACK", f"https://{address}", authority.file)
        async with open_session(network) as session, session.get(url) as response:
            assert response.status == 200
        assert (await client_of(url, network, stack).list_tasks()).total > 0
        distrusted = open_network("SLACK", f"https://{address}")
        assert "secmaster.example's or the proxy's certificate is not trusted" in await by_httpx(
            distrusted, url
        )
        assert "certificate is not trusted" in await by_aiohttp(distrusted, url)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("openssl"), reason="the proxy makes certificates with it")
async def test_a_proxy_that_looks_into_tls_is_trusted_by_its_own_authority(
    stack: AsyncExitStack, authority: Authority, tmp_path: Path
) -> None:
    url = await served(stack, authority.server(), "secmaster.example")
    company = Authority(tmp_path, "company")
    options = {
        "--ca-file": authority.file,  # which the proxy trusts
        "--ca-cert-file": company.file,
        "--ca-key-file": company.own_key,
        "--ca-signing-key-file": company.key,
        "--ca-cert-dir": tmp_path,
    }
    with forward_proxy(*(str(part) for option in options.items() for part in option)) as address:
        network = open_network("SLACK", f"http://{address}", company.file)
        async with open_session(network) as session, session.get(url) as response:
            assert response.status == 200
        assert (await client_of(url, network, stack).list_tasks()).total > 0
        beyond = open_network("SLACK", f"http://{address}", authority.file)
        for reach in (by_httpx, by_aiohttp):
            assert "'s certificate is not trusted" in await reach(beyond, url)


async def test_a_warning_that_slack_is_not_reached_stands_once_in_the_log(
    closed: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_session(open_network("SLACK", f"http://robot:secret@{closed}")) as session:
        for _ in range(2):
            with pytest.raises(NotConnected):
                await session.get("https://slack.example")
    [record] = caplog.records
    assert record.message == "Slack can't be reached"
    assert vars(record)["problem"].startswith(f"the proxy http://{closed} can't be reached")


def test_what_a_setting_or_a_file_mends_does_not_pass_by_itself() -> None:
    stays = {failure for failure in ConnectionFailure if not failure.may_pass}
    assert stays == {
        ConnectionFailure.UNTRUSTED,
        ConnectionFailure.OTHER_NAME,
        ConnectionFailure.PROXY_PASSWORD,
    }
