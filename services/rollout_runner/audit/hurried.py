"""Runs a program with its own time-outs made shorter: `hurried.py 10 /usr/bin/curl ARGUMENT...`.

A script under audit waits for what never comes; this keeps its verdict and shortens its wait. It is
run by file name with a bare interpreter, so it imports nothing of the product.
"""

import os
import sys

SECONDS = {
    "curl": {
        "-m",
        "--max-time",
        "--connect-timeout",
        "--retry-delay",
        "--retry-max-time",
        "-y",
        "--speed-time",
    },
    "wget": {
        "-T",
        "--timeout",
        "--read-timeout",
        "--connect-timeout",
        "--dns-timeout",
        "-w",
        "--wait",
        "--waitretry",
    },
}
_CLUSTERS = {"curl": "m", "wget": "T"}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def hurry(program: str, arguments: list[str], speed: float) -> list[str]:
    """Return the arguments with every length of time divided by `speed`.

    >>> hurry("curl", ["-sm", "30", "--connect-timeout=5", "-m10", "http://apm/-m"], 10)
    ['-sm', '3', '--connect-timeout=0.5', '-m1', 'http://apm/-m']
    >>> hurry("sleep", ["1m", "5"], 10)
    ['6', '0.5']
    >>> hurry("timeout", ["-k", "5", "30", "curl", "-m", "30"], 10)
    ['-k', '0.5', '3', 'curl', '-m', '30']
    """
    if program == "sleep":
        return [_divided(each, speed) for each in arguments]
    if program == "timeout":
        return _hurry_timeout(arguments, speed)
    options, letter = SECONDS.get(program, set()), _CLUSTERS.get(program, "")
    hurried, is_seconds = [], False
    for each in arguments:
        name, equals, value = each.partition("=")
        short = each.startswith("-") and not each.startswith("--")
        if is_seconds:
            hurried.append(_divided(each, speed))
            is_seconds = False
        elif equals and name in options:
            hurried.append(f"{name}={_divided(value, speed)}")
        elif letter and short and each[1:2] == letter and each[2:]:
            hurried.append(each[:2] + _divided(each[2:], speed))
        else:
            hurried.append(each)
            cluster = bool(letter) and short and each[-1:] == letter and each[1:].isalpha()
            is_seconds = each in options or cluster
    return hurried


def _hurry_timeout(arguments: list[str], speed: float) -> list[str]:
    hurried, at = list(arguments), 0
    while at < len(hurried) and hurried[at].startswith("-"):
        if hurried[at] in {"-k", "--kill-after"} and at + 1 < len(hurried):
            hurried[at + 1] = _divided(hurried[at + 1], speed)
            at += 1
        elif hurried[at] in {"-s", "--signal"}:
            at += 1
        at += 1
    if at < len(hurried):
        hurried[at] = _divided(hurried[at], speed)
    return hurried


def _divided(text: str, speed: float) -> str:
    unit = _UNITS.get(text[-1:])
    number = text[:-1] if unit else text
    try:
        return f"{float(number) * (unit or 1.0) / speed:.6g}"
    except ValueError:
        return text


if __name__ == "__main__":
    _, rate, path, *given = sys.argv
    name = path.rpartition("/")[2]
    os.execv(path, [path, *hurry(name, given, float(rate))])  # noqa: S606 - no shell is wanted
