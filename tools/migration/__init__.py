"""Converts the manifests that Flux applied into teams' files (`./sre import`)."""
