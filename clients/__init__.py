"""Clients of the servers that a stack talks to: what the doctor, the isolation matrix and the
sandbox ask them. The program itself never does; the engine's providers do."""
