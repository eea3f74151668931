"""What stands in for what is outside: loopback servers that can be told to misbehave."""
