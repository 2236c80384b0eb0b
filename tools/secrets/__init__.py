"""`./sre secret`: stores, lists and compares teams' secrets in OpenBao with the caller's login."""
