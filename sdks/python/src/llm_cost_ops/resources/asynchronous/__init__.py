"""The resources, for event loops. `synchronous` is made of this folder: `python sdks/python/make_synchronous.py`."""
