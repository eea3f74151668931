"""The shapes of JSON that routes take and give, as msgspec structs: one source for encoding and for OpenAPI."""
