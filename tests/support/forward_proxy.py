"""A real forward proxy in a process of its own, which alone knows the names under ``.example``.

What goes to such a name and arrives has gone through it. ``python -m tests.support.forward_proxy
OPTION…`` prints its port, and ends with its input.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy import Proxy
from proxy.http.exception import HttpRequestRejected
from proxy.http.parser import HttpParser
from proxy.http.proxy import HttpProxyBasePlugin

ROOT = Path(__file__).parents[2]
PROXY_PASSWORD = "p@ss/w:rd"
ENCODED_PASSWORD = "p%40ss%2Fw%3Ard"
FORBIDDEN = "forbidden.example"
OPTIONS = ("--num-acceptors", "1", "--num-workers", "1", "--log-level", "CRITICAL")


class Names(HttpProxyBasePlugin):
    """Resolves ``….example`` to this machine, and refuses one of these names."""

    def before_upstream_connection(self, request: HttpParser) -> HttpParser:
        if request.host == FORBIDDEN.encode():
            raise HttpRequestRejected(status_code=403, reason=b"Forbidden", body=b"<h1>No</h1>")
        return request

    def resolve_dns(self, host: str, _port: int) -> tuple[str | None, None]:
        return ("127.0.0.1" if host.endswith(".example") else None), None


@contextmanager
def forward_proxy(*options: str) -> Iterator[str]:
    """Run a proxy on loopback with these options of its own; yields host and port."""
    command = [sys.executable, "-m", __name__, *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def main() -> None:
    defaults = ("--hostname", "127.0.0.1", "--port", "0", "--plugins", f"{Names.__module__}.Names")
    with Proxy([*defaults, *OPTIONS, *sys.argv[1:]]) as proxy:
        sys.stdout.write(f"{proxy.flags.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
