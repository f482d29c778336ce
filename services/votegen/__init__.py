"""Vote traffic on a schedule: an open-loop generator over weighted targets."""
