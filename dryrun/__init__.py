"""Runs the program without an engine, and without a server: what `./sre` and the tests look at."""
