"""What may reach what, computed from objects: NetworkPolicies and AuthorizationPolicies."""
