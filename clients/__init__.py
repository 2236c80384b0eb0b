"""Clients of the servers that a stack talks to: what the doctor, the isolation matrix and the
sandbox ask them. The program itself asks them only what it is to take over (`sre-platform:adopt`);
all else is the engine's providers' to do."""
