"""The ledger as a database in our own hands: commands call services as the installation's owner."""
