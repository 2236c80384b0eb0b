"""What a team may write, what a stack may set, and every check on both. Imports no Pulumi."""
