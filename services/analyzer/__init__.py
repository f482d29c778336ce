"""The canary analyzer: compares the canary with stable over one window and answers a verdict.

It only observes. It asks a metric source for both arms, judges them and tells why; it never
changes weights and never guesses: what it cannot judge is `inconclusive` or an error, not a pass.
"""
