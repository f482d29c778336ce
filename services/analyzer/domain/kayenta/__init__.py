"""Kayenta's judge: the same classes and scores for the same configuration and points.

A separate judge beside the sequential one: it serves Kayenta's remote-judge protocol and is a
contender in the league. Rules follow spinnaker/kayenta at a69573b (packages judge and mannwhitney).
It departs from the original in one point: arms that are constant get no random noise, see
`mannwhitney.shift_interval`.
"""
