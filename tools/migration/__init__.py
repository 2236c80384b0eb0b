"""Makes teams' files of the manifests that Flux applied (`./sre import`)."""
