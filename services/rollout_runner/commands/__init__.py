"""What the commands of `gatelab` do, apart from reading their flags."""
