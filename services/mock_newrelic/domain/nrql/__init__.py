"""New Relic's query language: text -> tree -> plan -> rows; pure."""
