"""The voting page and its style sheet.

The page shows the host name ("Pod: …"), so that whoever fetched it can tell which version
answered. Nothing that a caller sent is ever printed on it.
"""

from __future__ import annotations

from html import escape

STYLE = """\
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { display: grid; place-items: center; min-height: 100vh; margin: 0; text-align: center; }
button { font-size: 2rem; padding: 1.5rem 3rem; margin: .5rem; border: 0; border-radius: .75rem;
  color: #fff; cursor: pointer; }
button[value=a] { background: #1a6fb5; }
button[value=b] { background: #1f7a5c; }
button[aria-pressed=true] { outline: .35rem solid #e0a82e; }
footer { opacity: .75; font-size: .9rem; }
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{a} vs {b}!</title>
<link rel="stylesheet" href="/static/stylesheets/style.css">
</head>
<body>
<main>
<h1>{a} vs {b}!</h1>
<form method="post" action="/">
<button type="submit" name="vote" value="a" aria-pressed="{a_chosen}">{a}</button>
<button type="submit" name="vote" value="b" aria-pressed="{b_chosen}">{b}</button>
</form>
<p>You can change your mind and vote again.</p>
</main>
<footer>Pod: {pod_name} &middot; Version: {version}</footer>
</body>
</html>
"""

_ERROR_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""


def vote_page(
    *, option_a: str, option_b: str, pod_name: str, version: str, chosen: str | None
) -> bytes:
    """Return the page; `chosen` marks the button `a` or `b`, any other value marks none."""
    return _PAGE.format(
        a=escape(option_a),
        b=escape(option_b),
        a_chosen=str(chosen == "a").lower(),
        b_chosen=str(chosen == "b").lower(),
        pod_name=escape(pod_name),
        version=escape(version),
    ).encode()


def error_page(title: str, text: str) -> bytes:
    """Return a page that says what went wrong."""
    return _ERROR_PAGE.format(title=escape(title), text=escape(text)).encode()
