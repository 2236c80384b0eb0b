"""`./sre isolation`: asks the real servers, as each kind of caller, for what it must not get."""
