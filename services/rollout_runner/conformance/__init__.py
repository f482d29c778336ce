"""Replay of what Argo Rollouts was seen doing: `gatelab conformance FILE…`.

A vector file holds records of one kind, told apart by the stem of its name: inputs, and what Argo's
own code made of them. Each kind has one replay, which feeds the inputs to the functions that the
runner uses.
"""
