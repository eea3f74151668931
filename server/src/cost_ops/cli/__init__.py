"""The command line: a thin shell over services, or over a server's HTTP API.

Importing a module of this package is cheap; what is heavy is imported inside commands.
"""
