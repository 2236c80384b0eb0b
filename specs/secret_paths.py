"""Where OpenBao has the teams' secrets (guide: Secrets Management)."""

MOUNT = "sre"
"""Path of the KV engine, version 2, of all teams."""


def team_secrets_path(team: str) -> str:
    """The path below which a team's secrets are."""
    return f"{MOUNT}/{team}"


def secret_path(team: str, name: str) -> str:
    """A secret's path, as `bao kv` and an ExternalSecret write it."""
    return f"{team_secrets_path(team)}/{name}"
