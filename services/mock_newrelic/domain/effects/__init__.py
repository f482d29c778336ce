"""What an injection can do, one module a family; `registry` knows them by their wire name."""
