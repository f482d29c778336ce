"""HTTP edge: the vote routes in front, the control plane behind them."""
