"""The wire: what requests may hold, and what answers look like."""
