"""The fail-open audit: does any fault of what a gate asks make it pass a bad canary?

faults.py      what can go wrong, as data
gates.py       which analyses a Rollout has, made ready to be run one by one
network.py     the network of a world, with a fault in it
scripts.py     Jobs: their scripts run as processes against that world
probe.py       one gate under one fault
judgement.py   what that means, why it passed, and what to do
audit.py       all gates under all faults
matrix.py      the result; text.py, html.py, ... show it
"""
