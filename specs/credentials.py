"""Whether a plain environment variable is a credential, by its name or by the form of its value."""

import re

_KEYS = (
    "API", "access", "secret", "private", "signing", "encryption", "decryption", "master",
    "auth", "HMAC", "SSH", "license",
)  # fmt: skip

# What a name says, and how. Matched against upper-case words joined by '_', one or more whole
# words each; a leading [A-Z]* also finds what is glued to another word, as in DBPASSWORD.
_NAMES = {
    "password": r"[A-Z]*(?:PASSWORDS?|PASSWD|PWD)|PASS",
    "passphrase": r"[A-Z]*PASSPHRASES?",
    **{f"{kind} key": rf"[A-Z]*{kind.upper()}_?KEYS?" for kind in _KEYS},
    "secret": r"[A-Z]*SECRETS?",
    "token": r"[A-Z]*TOKENS?",
    "credential": r"[A-Z]*CREDENTIALS?|CREDS?",
}

# What a value is, and the form that tells. A count is the fewest characters that tell: a token is
# not followed to its end, nor is a scheme looked for without bound, so a long value stays quick.
_FORMS = {
    "a private key (PEM)": r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY",
    "a JSON Web Token": r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.",
    "an AWS access key id": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22}",
    "a GitLab token": r"\bgl(?:pat|dt|rt|ptt|cbt|soat|oas|ft|imt|agent)-[\w-]{20}",
    "a Slack token": r"\bxox[abeoprs]-[\w-]{10}|\bxapp-[\w-]{10}",
    "a Google API key": r"\bAIza[\w-]{35}",
    "a Stripe key": r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{10}|\bwhsec_[A-Za-z0-9]{20}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}",
    "a PyPI token": r"\bpypi-[\w-]{32}",
    "a Vault or OpenBao token": r"\bhv[sbr]\.[\w-]{20}|^(?:[sr]\.[A-Za-z0-9]{24}|b\.[\w-]{24,})$",
    "an HTTP Authorization header": (
        r"(?i)^(?:authorization:\s*)?(?:bearer|basic)\s+[\w.~+/=-]{8,}$"
    ),
    "a URL with a password": r"(?i)\b[a-z][a-z0-9+.-]{0,30}://[^\s/?#:@]*:(?!\$\()[^\s/?#@]+@",
    "a MySQL DSN with a password": r"^[^\s:@/]+:(?!\$\()[^\s@]+@(?:tcp|unix)\(",
    "a connection string with a password": (
        r"(?i)(?<![\w-])(?:--)?(?:password|passwd|pwd)\s*=\s*[\"']?(?!\$\()[^\s;&\"']"
    ),
    "a connection string with a key": r"\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{20}",
    "a registry login (dockerconfigjson)": r"\"auth\"\s*:\s*\"[A-Za-z0-9+/=]{4}",
}

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME_PATTERNS = {
    said: re.compile(rf"(?:^|_)(?:{pattern})(?:_|$)") for said, pattern in _NAMES.items()
}
_FORM_PATTERNS = {form: re.compile(pattern) for form, pattern in _FORMS.items()}

_SWITCHES = {"", "true", "false", "yes", "no", "on", "off"}
_REFERENCE = re.compile(r"\$\([A-Za-z_][A-Za-z0-9_.-]*\)")


def looks_like_credential(name: str, value: str) -> str | None:
    """Why `value` should be a secretRef instead, without showing it; None if nothing says so.

    A switch such as `true` is none whatever its name, nor is a reference to another variable:
    `$(DB_PASSWORD)`, alone or as the password in a URL or connection string.
    """
    value = value.strip()
    if _REFERENCE.fullmatch(value):
        return None
    if value.lower() not in _SWITCHES:
        words = "_".join(_WORDS.findall(name)).upper()
        for said, pattern in _NAME_PATTERNS.items():
            if pattern.search(words):
                return f"its name says {said}"
    for form, pattern in _FORM_PATTERNS.items():
        if pattern.search(value):
            return f"its value has the form of {form}"
    return None
