"""`gatelab`: runs real Rollout and AnalysisTemplate manifests with no cluster."""
