"""The controllers: they hold state, ask the pure rules what to do, and do it through ports."""
