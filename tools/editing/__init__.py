"""Small changes to team files that keep their comments and layout. Imports no Pulumi."""
