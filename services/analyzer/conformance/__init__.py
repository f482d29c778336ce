"""Replay of reference values: `canary-analyzer conformance FILE…`.

A vector file holds records of one kind: inputs, expected values and how exact they are. Each kind
has one replay, which computes the values with the functions that the product (or a contender) uses.
"""
