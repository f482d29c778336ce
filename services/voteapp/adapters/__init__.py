"""Where votes and observations go."""
