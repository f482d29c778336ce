"""NerdGraph: the part of New Relic's GraphQL schema that canary analysis speaks to."""
