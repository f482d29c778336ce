"""HTTP edge of the control plane."""
