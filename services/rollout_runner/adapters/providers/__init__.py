"""Argo's metric providers, with the same verbs: run, resume, terminate."""
