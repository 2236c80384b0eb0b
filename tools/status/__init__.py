"""`./sre status`: whether a team's apps run, and if one does not, why."""
