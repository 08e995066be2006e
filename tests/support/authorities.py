"""Private certificate authorities, and what they issue: real certificates, made in a moment."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import trustme

NAMES = ("slack.example", "secmaster.example", "iam.example", "forbidden.example", "127.0.0.1")


class Authority:
    """An authority: ``file`` and ``own_key`` are its own, ``chain`` and ``key`` a server's."""

    def __init__(self, folder: Path, name: str) -> None:
        self._authority = trustme.CA(organization_name=name)
        self.file = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.file)
        self.own_key = folder / f"{name}-own-key.pem"
        self._authority.private_key_pem.write_to_path(self.own_key)
        self.chain, self.key = folder / f"{name}-chain.pem", folder / f"{name}-key.pem"
        certificate = self._authority.issue_cert(*NAMES)
        certificate.private_key_pem.write_to_path(self.key)
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(self.chain, append=True)

    def server(self, *names: str, ends_at: datetime | None = None) -> ssl.SSLContext:
        """Return what a server of these names shows, by default of all that tests use."""
        began_at = datetime(2000, 1, 1, tzinfo=UTC) if ends_at else None
        certificate = self._authority.issue_cert(
            *(names or NAMES), not_before=began_at, not_after=ends_at
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context
