"""Methods of others and of the textbooks: what the product is measured against, never judges with.

They live beside the judge's own methods because two things that ship use them: the `conformance`
command, which proves them against reference values, and the league, which runs them on the same
streams as the judge. The way from a request to a verdict imports nothing from here, and an import
contract keeps it so.
"""
