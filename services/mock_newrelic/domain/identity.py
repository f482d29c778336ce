"""Numbers and names by which New Relic's APIs speak of an application: the same for ever.

They depend on the application's name only, so that a restart, another replica and another session
give the same ones.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256

ACCOUNT_ID = 1


def application_id(name: str) -> int:
    """Return the application's number: nine digits, none of which is a leading zero."""
    digest = int.from_bytes(sha256(f"application\0{name}".encode()).digest()[:8])
    return 100_000_000 + digest % 900_000_000


def host_id(app: str, host: str) -> int:
    """Return the number of one host of an application."""
    digest = int.from_bytes(sha256(f"host\0{app}\0{host}".encode()).digest()[:8])
    return 100_000_000 + digest % 900_000_000


def entity_guid(name: str, account: int = ACCOUNT_ID) -> str:
    """Return the entity's GUID: base64 of `account|APM|APPLICATION|id`."""
    text = f"{account}|APM|APPLICATION|{application_id(name)}"
    return base64.b64encode(text.encode()).decode().rstrip("=")


def id_of_guid(guid: str) -> int | None:
    """Return the application's number in a GUID, or None when it holds none."""
    try:
        text = base64.b64decode(guid + "=" * (-len(guid) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    parts = text.split("|")
    if len(parts) != 4 or parts[1:3] != ["APM", "APPLICATION"] or not parts[3].isdigit():
        return None
    return int(parts[3])
