"""How tracked records reach the ledger: written down where they are tracked, sent from a thread of our own."""
