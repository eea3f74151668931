"""The platform's tests: they mirror `src`, and run against real servers."""
