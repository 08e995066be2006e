"""How services are reached: through which proxy, which certificates are trusted, and what fails.

Knows the settings by name and nothing of Slack or SecMaster. A proxy's password is in the header
that the proxy gets and nowhere else: not in an address, a text or a ``repr``.
"""

import base64
import functools
import re
import socket
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Self, assert_never
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

import aiohttp
import httpx

BY_ENVIRONMENT = "env"  # as a proxy's setting: as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say
ADDRESS_FORM = "http://user:password@host:port"
SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


class ConnectionFailure(StrEnum):
    """Why a connection did not come about."""

    UNTRUSTED = "certificate_untrusted"
    OTHER_NAME = "certificate_for_another_name"
    OUT_OF_DATE = "certificate_out_of_date"
    NAME_NOT_FOUND = "name_not_found"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    PROXY_PASSWORD = "proxy_wants_a_password"  # noqa: S105 - a code
    PROXY_REFUSES = "proxy_refuses"
    PROXY_UNREACHABLE = "proxy_unreachable"
    OTHER = "other"

    @property
    def may_pass(self) -> bool:
        """Whether a later attempt may succeed with nobody having changed a setting or a file.

        A certificate that is out of date may be renewed elsewhere, or this machine's clock set.
        """
        match self:
            case (
                ConnectionFailure.UNTRUSTED
                | ConnectionFailure.OTHER_NAME
                | ConnectionFailure.PROXY_PASSWORD
            ):
                return False
            case (
                ConnectionFailure.OUT_OF_DATE
                | ConnectionFailure.NAME_NOT_FOUND
                | ConnectionFailure.REFUSED
                | ConnectionFailure.TIMED_OUT
                | ConnectionFailure.PROXY_REFUSES
                | ConnectionFailure.PROXY_UNREACHABLE
                | ConnectionFailure.OTHER
            ):
                return True
            case _:
                assert_never(self)


SENTENCES = {
    ConnectionFailure.UNTRUSTED: (
        "{owner} certificate is not trusted: put its authority's certificate into {file}"
    ),
    ConnectionFailure.OTHER_NAME: (
        "{owner} certificate is for another name: correct the address, or look for what answers "
        "in its place"
    ),
    ConnectionFailure.OUT_OF_DATE: (
        "{owner} certificate has expired, or is not valid yet: have it renewed, and look at this "
        "machine's clock"
    ),
    ConnectionFailure.NAME_NOT_FOUND: (
        "the name {name} is not found: correct the address, or look at this machine's DNS{hint}"
    ),
    ConnectionFailure.REFUSED: (
        "{host} refuses the connection: look at the address and its port, and at firewalls{hint}"
    ),
    ConnectionFailure.TIMED_OUT: "{host} did not answer in time: look at {suspect}{hint}",
    ConnectionFailure.PROXY_PASSWORD: (
        "the proxy wants a password: put it into {setting} as " + ADDRESS_FORM
    ),
    ConnectionFailure.PROXY_REFUSES: (
        "the proxy {proxy} does not connect to {host}{detail}: have it allowed there, or look "
        "whether it can get there itself"
    ),
    ConnectionFailure.PROXY_UNREACHABLE: (
        "the proxy {proxy} can't be reached: correct {setting}, or look at the proxy"
    ),
    ConnectionFailure.OTHER: "no connection to {host} came about{detail}",
}
# What else a certificate is not valid for leaves it untrusted.
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
VERIFY_CODES = {
    9: ConnectionFailure.OUT_OF_DATE,  # not yet valid
    10: ConnectionFailure.OUT_OF_DATE,  # has expired
    62: ConnectionFailure.OTHER_NAME,
    64: ConnectionFailure.OTHER_NAME,  # of an IP address
}
NOT_TAKEN = "the proxy does not take the name and the password in {setting}: correct them"
DIRECT_HINT = "; where only a proxy leads out, set {setting}"


class NetworkSettingError(ValueError):
    """A proxy's address or a file of certificates can't be used; the text never has the value."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A forward proxy: its address without a password, and its ``Proxy-Authorization``, or "".

    ``setting`` is where its address comes from.
    """

    url: str
    authorization: str = field(default="", repr=False)
    setting: str = ""

    @classmethod
    def parse(cls, address: str, setting: str) -> Self:
        """Read a proxy's address; raises NetworkSettingError."""
        try:
            parts = urlsplit(address)
            port, host = parts.port, parts.hostname
        except ValueError:
            raise NetworkSettingError(f"{setting} is not a valid URL: {ADDRESS_FORM}") from None
        if parts.scheme.startswith("socks"):
            raise NetworkSettingError(
                f"{setting} is a SOCKS proxy, which is not supported: give an HTTP proxy as "
                f"{ADDRESS_FORM}"
            )
        if parts.scheme not in ("http", "https") or not host or port == 0:
            raise NetworkSettingError(f"{setting} is not a valid URL: {ADDRESS_FORM}")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise NetworkSettingError(
                f"{setting} has more than host and port after the name and the password: give "
                f"{ADDRESS_FORM}, with / ? # in a password as %2F %3F %23"
            )
        return cls(f"{parts.scheme}://{_host_and_port(parts)}", _authorization(parts), setting)


@dataclass(frozen=True, slots=True)
class EnvironmentProxies:
    """The environment's proxies at one moment, by the rules of Python's standard library.

    A lower-case name wins over an upper-case one; ``NO_PROXY`` has suffixes of names, or "*".
    """

    variables: dict[str, str] = field(default_factory=getproxies_environment, repr=False)

    def parse(self) -> dict[str, Proxy]:
        """Return the proxy for each scheme; raises NetworkSettingError."""
        proxies = {}
        for scheme in ("https", "http"):
            if address := self.variables.get(scheme, ""):
                address = address if "://" in address else f"http://{address}"
                proxies[scheme] = Proxy.parse(address, f"{scheme.upper()}_PROXY")
        return proxies

    def bypasses(self, url: SplitResult) -> bool:
        """Return whether ``NO_PROXY`` names the host of an address."""
        bypasses = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]  # no types
        return bool(bypasses(_host_and_port(url), self.variables))


@functools.cache
def trust(authorities: str = "") -> ssl.SSLContext:
    """Make what trusts the public authorities, this machine's own, and these of a PEM text.

    It is made once: reading the public ones takes 40 ms. Raises ssl.SSLError.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    if authorities:
        context.load_verify_locations(cadata=authorities)
    return context


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one host. By default straight, trusting no private authority.

    ``prefix`` is what the settings begin with that would change it, "" where none does.
    """

    proxy: Proxy | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    prefix: str = ""

    @property
    def context(self) -> ssl.SSLContext:
        """What certificates are checked with."""
        return self.tls or trust()

    def failure(self, error: BaseException) -> ConnectionFailure:
        """Return why a connection did not come about."""
        for cause in _chain(error):
            if failure := _failure(cause, self.proxy):
                return failure
        return ConnectionFailure.OTHER

    def explain(self, error: BaseException, host: str) -> str:
        """Say why a connection to a host did not come about, and what to do."""
        return self.sentence(self.failure(error), host, _detail(error))

    def sentence(self, failure: ConnectionFailure, host: str, detail: str = "") -> str:
        """Say what a failure means; ``detail`` is a proxy's status, or the kind of an error.

        ``host`` may have a port, which what is said of its name and its certificate leaves out.
        """
        proxy = self.proxy or Proxy("", setting=f"{self.prefix}_PROXY")
        is_known = failure is ConnectionFailure.PROXY_PASSWORD and proxy.authorization
        hint = "" if self.proxy or not self.prefix else DIRECT_HINT.format(setting=proxy.setting)
        name = urlsplit(f"//{host}").hostname or host
        return (NOT_TAKEN if is_known else SENTENCES[failure]).format(
            host=host,
            name=name,
            # A certificate may be that of a proxy which is spoken to over TLS itself.
            owner=f"{name}'s or the proxy's" if proxy.url.startswith("https:") else f"{name}'s",
            file=f"{self.prefix}_CA_FILE" if self.prefix else "those that are trusted",
            proxy=proxy.url,
            setting=proxy.setting,
            suspect=f"the proxy {proxy.url}" if self.proxy else "firewalls",
            detail=f" ({detail})" if detail else "",
            hint=hint,
        )


STRAIGHT = Route()


@dataclass(frozen=True, slots=True)
class Network:
    """How one service is reached, whichever of its hosts: what its two settings say."""

    prefix: str
    proxies: Proxy | EnvironmentProxies | None
    tls: ssl.SSLContext = field(repr=False)

    def route(self, address: str) -> Route:
        """Return the way to the host of an address."""
        return Route(self._proxy(urlsplit(address)), self.tls, self.prefix)

    def _proxy(self, url: SplitResult) -> Proxy | None:
        if not isinstance(self.proxies, EnvironmentProxies):
            return self.proxies
        if self.proxies.bypasses(url):
            return None
        return self.proxies.parse().get(SCHEMES.get(url.scheme, ""))


def open_network(prefix: str, proxy: str = "", ca_file: Path | None = None) -> Network:
    """Read ``…_PROXY`` and ``…_CA_FILE``; raises NetworkSettingError, which names the setting."""
    proxies: Proxy | EnvironmentProxies | None = None
    if proxy == BY_ENVIRONMENT:
        proxies = EnvironmentProxies()
        proxies.parse()
    elif proxy:
        proxies = Proxy.parse(proxy, f"{prefix}_PROXY")
    if ca_file is None:
        return Network(prefix, proxies, trust())
    try:
        return Network(prefix, proxies, trust(_read_pem(ca_file)))
    except OSError as error:  # ssl.SSLError is one
        reason = "has no certificates in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise NetworkSettingError(f"{prefix}_CA_FILE can't be used: {ca_file}: {reason}") from None


def ca_ends_at(ca_file: Path) -> datetime | None:
    """Return when the first of the authorities in a file expires; None where it has none.

    Raises OSError where it can't be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=_read_pem(ca_file))
    ends = [ends_at(certificate) for certificate in context.get_ca_certs()]
    return min((end for end in ends if end), default=None)


def ends_at(certificate: Mapping[str, object]) -> datetime | None:
    """Return when a certificate expires, as ``getpeercert`` and ``get_ca_certs`` describe it."""
    text = certificate.get("notAfter")
    if not isinstance(text, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def unused_proxy(**proxies: str) -> str:
    """Say that the environment names a proxy that is not used, "" where there is none.

    ``proxies`` are the values of the settings, such as ``SLACK_PROXY``, by their names.
    """
    unset = [name for name, value in proxies.items() if not value]
    variables = getproxies_environment()
    scheme = next((scheme for scheme in ("https", "http") if scheme in variables), "")
    if not unset or not scheme:
        return ""
    settings = " and ".join(f"{name}={BY_ENVIRONMENT}" for name in unset)
    verb = "use" if len(unset) > 1 else "uses"
    hint = "" if len(unset) == len(proxies) else f" for {unset[0].partition('_')[0]}"
    return f"{scheme.upper()}_PROXY is set and not used{hint}: {settings} {verb} it"


def _read_pem(ca_file: Path) -> str:
    """Return a file's text as Python's ssl takes it: comments between certificates may be any."""
    text = ca_file.read_bytes().decode("ascii", "ignore")
    if "-----BEGIN" not in text:
        raise ssl.SSLError("no PEM")
    return text


def _host_and_port(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _authorization(parts: SplitResult) -> str:
    """Return the header for the name and the password in an address; "" where it has none."""
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it came from, the nearest first."""
    pending: list[BaseException | None] = [error]
    passed: set[int] = set()
    while pending:
        cause = pending.pop(0)
        if cause is None or id(cause) in passed:
            continue
        passed.add(id(cause))
        yield cause
        pending += [cause.__cause__, cause.__context__]
        pending += [argument for argument in cause.args if isinstance(argument, BaseException)]
        if isinstance(cause, BaseExceptionGroup):
            pending += cause.exceptions


def _proxy_status(error: BaseException) -> int:
    """Return the status with which a proxy refused to connect; 0 for any other error."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return error.status
    if isinstance(error, httpx.ProxyError):  # httpx gives it in the text alone
        match = re.match(r"(\d{3})\b", str(error))
        return int(match[1]) if match else HTTPStatus.BAD_GATEWAY
    return 0


def _failure(error: BaseException, proxy: Proxy | None) -> ConnectionFailure | None:
    """Return what one error says of a connection, None where it says nothing."""
    failure = None
    if status := _proxy_status(error):
        is_password = status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        password, other = ConnectionFailure.PROXY_PASSWORD, ConnectionFailure.PROXY_REFUSES
        failure = password if is_password else other
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        return None  # it is an SSLCertVerificationError by name, and has the real one's code inside
    elif isinstance(error, ssl.SSLCertVerificationError):
        failure = VERIFY_CODES.get(error.verify_code, ConnectionFailure.UNTRUSTED)
    elif isinstance(error, aiohttp.ClientProxyConnectionError):
        failure = ConnectionFailure.PROXY_UNREACHABLE
    elif isinstance(error, socket.gaierror | ConnectionRefusedError):
        # Behind a proxy only its own name is looked up, and only it is connected to.
        is_name = isinstance(error, socket.gaierror)
        straight = ConnectionFailure.NAME_NOT_FOUND if is_name else ConnectionFailure.REFUSED
        failure = ConnectionFailure.PROXY_UNREACHABLE if proxy else straight
    elif isinstance(error, TimeoutError | httpx.TimeoutException):
        failure = ConnectionFailure.TIMED_OUT
    return failure


def _detail(error: BaseException) -> str:
    """Return a proxy's status, or else the kind of the error."""
    statuses = filter(None, map(_proxy_status, _chain(error)))
    return str(next(statuses, "")) or type(error).__name__
