"""Summarises a change for its reviewer: which stacks it affects, and how."""
