"""Clients of a stack's servers, for the doctor, the isolation matrix and the sandbox.

The program itself uses them only to read what it takes over (`sre-platform:adopt`); everything else
goes through the engine's providers.
"""
