"""Use cases: one function, one transaction. Shells call these and nothing below them."""
