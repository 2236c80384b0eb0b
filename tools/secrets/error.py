"""Why a command about secrets does nothing."""


class SecretError(Exception):
    """One line for the caller, "what is wrong; what to do"; it never contains a value."""
