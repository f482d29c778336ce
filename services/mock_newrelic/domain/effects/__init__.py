"""What an injection can do, one module an effect; `registry` knows them by their wire name."""
