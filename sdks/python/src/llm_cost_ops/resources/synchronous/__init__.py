"""The resources, made of `asynchronous` by `python sdks/python/make_synchronous.py`."""
