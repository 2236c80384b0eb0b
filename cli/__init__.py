"""`./sre`: commands on team files that need neither an engine nor a server."""
