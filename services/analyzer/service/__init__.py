"""The use cases: analyse an application, judge given windows, check a target's health."""
