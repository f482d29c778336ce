"""What Go's url.Parse refuses, as far as a manifest is likely to hold it."""

from __future__ import annotations

import re

from rollout_runner.argo.expr.gotext import quote

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_HOST_REFUSES = re.compile(r"[ \\^`{|}]")
_PORT = re.compile(r"[0-9]*")


def check_url(url: str) -> str:
    """Return Go's message about an URL that it cannot parse; empty if it can.

    >>> check_url("http://analyzer:80b/verdict")
    'parse "http://analyzer:80b/verdict": invalid port ":80b" after host'
    """
    reason = _refusal(url)
    return f"parse {quote(url)}: {reason}" if reason else ""


def _refusal(url: str) -> str:
    if _CONTROL.search(url):
        return "net/url: invalid control character in URL"
    rest = url.partition("#")[0]
    if rest.startswith(":"):
        return "missing protocol scheme"
    scheme, colon, after = rest.partition(":")
    if colon and _SCHEME.fullmatch(scheme):
        rest = after
    elif ":" in rest.partition("/")[0]:
        return "first path segment in URL cannot contain colon"
    path = rest.partition("?")[0]
    if path.startswith("//"):
        authority, slash, tail = path[2:].partition("/")
        reason = _authority_refusal(authority)
        if reason:
            return reason
        path = slash + tail
    escape = _BAD_ESCAPE.search(path)
    return f"invalid URL escape {quote(escape[0])}" if escape else ""


def _authority_refusal(authority: str) -> str:
    host = authority.rpartition("@")[2]
    wrong = _HOST_REFUSES.search(host)
    if wrong:
        return f"invalid character {quote(wrong[0])} in host name"
    if host.startswith("["):
        inside, closing, port = host.partition("]")
        if not closing:
            return "missing ']' in host"
        host = inside
    else:
        host, colon, port = host.partition(":")
        port = colon + port
    if port and not (port.startswith(":") and _PORT.fullmatch(port[1:])):
        return f"invalid port {quote(port)} after host"
    return ""
