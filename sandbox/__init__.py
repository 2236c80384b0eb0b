"""The sandbox: the real Pulumi engine, with a stand-in for the three providers by default."""
