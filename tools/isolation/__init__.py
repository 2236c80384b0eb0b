"""`./sre isolation`: asks real servers, as each kind of caller, for what it must not get."""
