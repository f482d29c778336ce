"""The judge league: the product's judge against peers and oracles on the same simulated rollouts.

`make league ARGS="--quick"`, or `python -m league --help`.
"""
