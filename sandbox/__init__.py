"""The embedded default: the real Pulumi engine with a stand-in for the three providers."""
