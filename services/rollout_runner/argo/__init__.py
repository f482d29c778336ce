"""Argo Rollouts' semantics as pure functions: no I/O, no clock, no globals.

Every rule here is Argo's own and is held to vectors observed on the real engines
(`tests/vectors/argo`). Instants are floats, seconds since the Unix epoch.
"""
