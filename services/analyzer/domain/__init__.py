"""The judgement itself: values in, values out; no I/O, no clock, no settings."""
