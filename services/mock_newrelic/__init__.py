"""A stand-in for the New Relic metric API whose answers can be made wrong on purpose."""
