"""The voting front end as a stand-in: same HTTP contract, faults on request, telemetry."""
