"""The HTTP shell: routes, the hot path for usage, authentication, errors, OpenAPI."""
