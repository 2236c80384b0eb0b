"""Pinned outside programs: found on PATH, downloaded or built, and kept in a cache."""
