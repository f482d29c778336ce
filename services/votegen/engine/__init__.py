"""The open loop: schedule first, send after."""
