"""When credentials and certificates end, as far as that is known."""

from collections.abc import Mapping
from datetime import datetime

from bot.domain.troubles import Expiring
from bot.network import ca_ends_at
from bot.secmaster import SecMaster
from bot.settings import Settings


def authorities_end(settings: Settings) -> dict[Expiring, datetime]:
    """Return when the authorities' certificates end that the settings name; reads their files."""
    files = {
        Expiring.SECMASTER_CA_FILE: settings.secmaster_ca_file,
        Expiring.SLACK_CA_FILE: settings.slack_ca_file,
    }
    ends = {expiring: ca_ends_at(file) for expiring, file in files.items() if file}
    return {expiring: end for expiring, end in ends.items() if end}


def expiries(
    secmaster: SecMaster, authorities: Mapping[Expiring, datetime]
) -> dict[Expiring, datetime]:
    """Return when each credential and certificate ends, as far as that is known."""
    ends = {
        Expiring.IAM_PASSWORD: secmaster.auth.ends_at,  # nothing else has an end that is known
        Expiring.SECMASTER_CERTIFICATE: secmaster.certificate_ends_at,
        **authorities,
    }
    return {expiring: end for expiring, end in ends.items() if end}
