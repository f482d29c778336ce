"""The use cases: take in samples, answer queries, keep injections and the journal."""
