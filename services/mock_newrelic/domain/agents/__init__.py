"""New Relic's agent protocol: what agents send, and what they are told.

connect.py      how a run begins, and what it is granted
run.py          what a run knows of itself, joined to everything that it sends
harvest.py      events, errors, spans and logs of one harvest
timeslices.py   the exact counts of a minute
"""
