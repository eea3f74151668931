"""LLM Cost Ops: a ledger for LLM spend that you host yourself."""

__version__ = "0.1.0"
