"""What a client asks and tells, one noun to a file."""
