"""The rules, one module a topic; `registry` holds them all."""
