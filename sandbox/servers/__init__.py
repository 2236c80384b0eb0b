"""Real servers on this machine: an API server with its controllers, kwok's nodes, and OpenBao."""
