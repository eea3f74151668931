"""The job runner and its jobs: inside the server, or as `cost-ops worker`."""
