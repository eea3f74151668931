"""The ledger behind a server: commands speak HTTP."""
