"""What mock-newrelic is measured against and with: ceilings, a peer, bodies."""
