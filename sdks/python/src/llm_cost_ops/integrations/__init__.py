"""Frameworks that call models: callbacks, handlers and middleware for them."""
