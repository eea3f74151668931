"""Files that other systems write: one module per format, each a pure function from values to usage records."""
