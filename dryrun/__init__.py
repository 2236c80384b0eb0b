"""Runs the program without an engine and without servers, for `./sre` and the tests."""
