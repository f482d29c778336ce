"""OAuth2 client credentials, as Go's x/oauth2 fetches a token."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import httpx

if TYPE_CHECKING:
    from rollout_runner.argo.web import OAuth2

_TYPES = {"bearer": "Bearer", "mac": "MAC", "basic": "Basic", "": "Bearer"}


class TokenError(Exception):
    """There is no token; the message is Go's, without what the token endpoint answered."""


async def fetch_authorization(client: httpx.AsyncClient, oauth2: OAuth2) -> str:
    """Return the value of the Authorization header.

    The credentials go into a Basic header first; if that is refused, into the form.

    Raises:
        TokenError: the endpoint gave no token.
        httpx.HTTPError: it could not be reached.
    """
    form = {"grant_type": "client_credentials"}
    if oauth2.scopes:
        form["scope"] = " ".join(oauth2.scopes)
    basic = httpx.BasicAuth(quote_plus(oauth2.client_id), quote_plus(oauth2.client_secret))
    response = await client.post(oauth2.token_url, data=form, auth=basic, follow_redirects=True)
    if not response.is_success:
        form |= {"client_id": oauth2.client_id, "client_secret": oauth2.client_secret}
        response = await client.post(oauth2.token_url, data=form, follow_redirects=True)
    if not response.is_success:
        raise TokenError(
            f"oauth2: cannot fetch token: {response.status_code} {response.reason_phrase}"
        )
    try:
        answer = response.json()
        token, kind = answer["access_token"], str(answer.get("token_type") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        token, kind = None, ""
    if not isinstance(token, str) or not token:
        raise TokenError("oauth2: server response missing access_token")
    return f"{_TYPES.get(kind.lower(), kind)} {token}"
