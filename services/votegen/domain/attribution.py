"""Which version answered, seen from outside.

The response header wins. Without it the page's host name is read ("Pod: …", or "Processed by
container ID …"), whose middle part is the pod-template hash of a ReplicaSet's pod. Anything else
is unknown, and is counted as unknown.
"""

from __future__ import annotations

import re

UNKNOWN = "unknown"
HASH_HEADER = b"x-pod-template-hash"
_HASH = re.compile(r"[a-z0-9]{1,63}")
_HOST_NAME = re.compile(rb"(?:Pod:|container ID)(?:\s|<[^>]{0,100}>)*([A-Za-z0-9.-]{1,253})")
_POD_NAME = re.compile(r".+-([a-z0-9]{6,10})-[a-z0-9]{5}")


def pod_template_hash(header: bytes, body: bytes) -> str:
    """Return the hash of the pod that answered, or UNKNOWN.

    Args:
        header: value of the response header, empty when absent.
        body: the page, or its beginning.
    """
    if header:
        text = header.decode("latin-1")
        return text if _HASH.fullmatch(text) else UNKNOWN
    found = _HOST_NAME.search(body)
    pod = _POD_NAME.fullmatch(found[1].decode()) if found else None
    return pod[1] if pod else UNKNOWN
