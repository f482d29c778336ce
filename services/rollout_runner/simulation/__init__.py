"""Virtual time: the same engine and the real services in one process, with drawn traffic."""
