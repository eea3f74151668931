"""Pure computation on plain values: no clock, no environment, no I/O."""
