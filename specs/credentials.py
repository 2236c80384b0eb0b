"""Whether a plain environment variable is a credential, judged by its name or its value's form."""

import re
from functools import lru_cache

_KEYS = (
    "API", "access", "secret", "private", "signing", "encryption", "decryption", "master",
    "auth", "HMAC", "SSH", "license", "account", "storage", "session", "deploy", "shared",
    "subscription", "application", "app", "JWT", "cookie",
)  # fmt: skip

# What a name indicates, and how. Matched against upper-case words joined by '_', one or more whole
# words each; a leading [A-Z]* also finds words joined to another, as in DBPASSWORD.
_NAMES = {
    "password": (
        r"[A-Z]*(?:PASSWORDS?|PASSWD|PWD)|PW|MASTERAUTH"
        r"|(?:REQUIRE|DB|USER|KEY|(?:SRC|DEST|KEY|TRUST)?STORE)?PASS(?!_(?:THROUGH|THRU)(?:_|$))"
    ),
    "passphrase": r"[A-Z]*PASSPHRASES?",
    **{f"{kind} key": rf"[A-Z]*{kind.upper()}_?KEYS?" for kind in _KEYS},
    "secret": r"[A-Z]*SECRETS?",
    "token": r"[A-Z]*TOKENS?",
    "credential": r"[A-Z]*CREDENTIALS?|CREDS?",
    "JSON Web Token": r"JWTS?$",
    "bearer token": r"BEARER$",
    "authorization": r"AUTHORIZATION$",
    "connection string": r"DSN$|CONN(?:ECTION)?_?STR(?:ING)?$",
    "personal access token": r"PAT$",
}

# Words after which the name describes something about a credential: its place, its lifetime, its
# form.
_ABOUT = re.compile(
    r"_(?:URLS?|URI|PATHS?|FILES?|FILENAME|DIR|DIRECTORY|FOLDER|ENDPOINT|HOST|PORT|REGION|ISSUER"
    r"|AUDIENCE|MANAGER|PROVIDER|STORE|BACKEND|ENGINE|MOUNT|ROLE|TTL|EXPIR[A-Z]*"
    r"|LIFETIME|DURATION|TIMEOUT|INTERVAL|AGE|MS|SECS?|SECONDS|MINUTES|HOURS|DAYS|PERIOD|ROTATION"
    r"|REFRESH|LENGTH|SIZE|MIN|MAX|LIMITS?|COUNT|BUDGET|QUOTA|PER|BUCKET|TYPE|NAME|PREFIX|SUFFIX"
    r"|PATTERN|REGEX|FORMAT|ENCODING|ENCODER|ALG|ALGORITHM|VERSION|ENABLED|DISABLED|REQUIRED"
    r"|POLICY|MODE|FIELD|COLUMN|TABLE|SCOPES?|CLASS|LEEWAY|ATTEMPTS|RETRIES|HASHERS?|VALIDITY"
    r"|STDIN|PROMPT|LIFESPAN|ARN|REF|(?<=KEY_)(?<!ACCESS_KEY_)(?<!SECRET_KEY_)IDS?)(?=_|$)"
)
# A count of tokens, as for a language model, or one of such a model's special tokens.
_COUNTED = re.compile(
    r"(?:^|_)(?:MAX|MIN|NUM|NUMBER|TOTAL)_(?:[A-Z]+_)*TOKENS"
    r"|(?:^|_)(?:BOS|EOS|EOT|PAD|UNK|SEP|CLS|MASK|STOP)_TOKENS?(?:_IDS?)?$"
)
# A yes-or-no name, for which 0 and 1 are answers too.
_ASKS = re.compile(
    r"(?:^|_)(?:ALLOWS?|REQUIRES?|ENABLES?|DISABLES?|USES?|HAS|IS|CHECKS?|VERIFY|VALIDATE|SKIP|SHOW"
    r"|HIDE|MASK|SEND|WITH)_"
)
_COUNT = re.compile(r"[0-9]{1,7}")

# Stands for a password in a URL or a connection string without being one: $(NAME) of Kubernetes, or
# something that a shell or the app itself fills in.
_FILLED_IN = r"(?!\$(?:[({]|[A-Z_]+\b))"

# Kinds of credentials and the forms that identify them. A count is the smallest number of
# characters that identifies one: the patterns do not follow a token to its end, nor look for a
# scheme without bound, so that a long value is checked quickly.
_FORMS = {
    "a private key (PEM)": r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY",
    "a private key (PuTTY)": r"\bPuTTY-User-Key-File-[0-9]",
    "a private key (age)": r"\bAGE-SECRET-KEY-1[A-Z0-9]{20}",
    "a JSON Web Token": r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.",
    "an AWS access key id": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "an AWS secret access key": (
        r"^(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=[^0-9]*[0-9])[A-Za-z0-9/+]{40}$"
    ),
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22}",
    "a GitLab token": (
        r"\bgl(?:pat|dt|rt|rtr|ptt|cbt|soat|oas|ft|ffct|imt|agent)-[\w-]{20}|\bGR1348941[\w-]{20}"
    ),
    "a Slack token": r"\bxox[abceoprs](?:\.xox[a-z])?-[\w-]{10}|\bxapp-[\w-]{10}",
    "a webhook's address": (
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]{10}"
        r"|discord(?:app)?\.com/api/webhooks/[0-9]+/[\w-]{10}"
        r"|\.webhook\.office\.com/webhookb2/[\w-]{10}"
    ),
    "a Google API key": r"\bAIza[\w-]{35}",
    "a Google OAuth secret": r"\bGOCSPX-[\w-]{20}|\bya29\.[\w-]{20}",
    "an Azure client secret": r"(?:^|[^\w~.-])[\w~.-]{3}[0-9]Q~[\w~.-]{31}",
    "an Azure signature (SAS)": r"[?&]sig=[\w%+/-]{20}",
    "an Alibaba Cloud access key": r"\bLTAI[A-Za-z0-9]{12}",
    "an OpenAI or Anthropic key": (
        r"\bsk-(?:(?:proj|svcacct|admin|None|ant-[a-z]+[0-9]+|or-v[0-9])-[\w-]{20}"
        r"|(?=[a-zA-Z]*[0-9])(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{20})"
    ),
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30}",
    "a Stripe key": (r"\b[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10}|\bwhsec_[A-Za-z0-9]{20}"),
    "a SendGrid key": r"\bSG\.[\w-]{16,}\.[\w-]{16}",
    "a Mailgun key": r"\bkey-[0-9a-f]{32}\b",
    "a Mailchimp key": r"\b[0-9a-f]{32}-us[0-9]{1,2}\b",
    "a Twilio key": r"\bSK[0-9a-f]{32}\b",
    "a Telegram bot's token": r"\b[0-9]{8,10}:AA[\w-]{33}",
    "a Shopify token": r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "a Square token": r"\bsq0[a-z]{3}-[\w-]{22}",
    "an Atlassian token": r"\bAT[AC]TT3[\w=-]{20}|\bATBB[A-Za-z0-9]{20}",
    "a Docker Hub token": r"\bdckr_[op]at_[\w-]{20}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}",
    "a PyPI token": r"\bpypi-[\w-]{32}",
    "a RubyGems key": r"\brubygems_[0-9a-f]{48}",
    "a NuGet key": r"\boy2[a-z0-9]{43}\b",
    "an Artifactory token": r"\bAKCp[A-Za-z0-9]{60}",
    "a SonarQube token": r"\bsq[apu]_[0-9a-f]{40}\b",
    "a DigitalOcean token": r"\bdo[opr]_v1_[0-9a-f]{64}",
    "a Databricks token": r"\bdapi[0-9a-f]{32}",
    "a Grafana token": r"\bglsa_\w{32}|\bglc_eyJ[\w+/=-]{20}",
    "a New Relic key": r"\bNRAK-[A-Z0-9]{27}",
    "a Sentry token": r"\bsntry[su]_[\w+/=-]{20}",
    "a Pulumi token": r"\bpul-[0-9a-f]{40}\b",
    "a Terraform Cloud token": r"\b[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{20}",
    "a Doppler token": r"\bdp\.(?:ct|pt|st|sa|scim|audit)\.[\w.-]{20}",
    "a PlanetScale token": r"\bpscale_(?:tkn|pw|oauth)_[\w.-]{20}",
    "a Postman key": r"\bPMAK-[0-9a-f]{24}",
    "a Supabase token": r"\bsb[ps]_[0-9a-f]{40}|\bsb_secret_[\w-]{20}",
    "a Linear key": r"\blin_(?:api|oauth)_[A-Za-z0-9]{30}",
    "a Notion token": r"\bntn_[A-Za-z0-9]{30}|^secret_[A-Za-z0-9]{43}$",
    "an Airtable token": r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{20}",
    "a Vault or OpenBao token": (
        r"\bhv[sbr]\.[\w-]{20}"
        r"|^(?:[sr]\.[A-Za-z0-9]{24}|b\.(?=[a-zA-Z_-]*[0-9])(?=[a-z0-9_-]*[A-Z])[\w-]{24,})$"
    ),
    "a password's hash": r"(?:^|:)\$(?:2[abxy]|5|6|y|apr1|argon2[a-z]*)\$[\w./$,=+-]{20}",
    "an HTTP Authorization header": (
        r"(?i)^(?:authorization:\s*)?(?:bearer|basic)\s+[\w.~+/=-]{8,}$"
    ),
    "a URL with a password": (
        rf"\b(?i:[a-z][a-z0-9+.-]{{0,30}})://[^\s/?#:@]*:{_FILLED_IN}[^\s/?#@]+@"
    ),
    "a URL with a credential": (
        r"(?i)[?&](?:(?:access|auth|id|refresh|api|private|session|bearer)?[_-]?token|api[_-]?key"
        r"|access[_-]?key|subscription-key|client[_-]?secret|secret|sig|signature|x-(?:amz|goog)"
        r"-signature)=[\w%+/~-]{4}"
    ),
    "an Oracle URL with a password": (
        rf"\bjdbc:oracle:[a-z0-9]{{1,9}}:[^\s/:@]+/{_FILLED_IN}[^\s@]+@"
    ),
    "a Laravel key": r"^base64:[A-Za-z0-9+/]{43}=$",
    "a MySQL DSN with a password": rf"^[^\s:@/]+:{_FILLED_IN}[^\s@]+@(?:tcp|unix)\(",
    "a connection string with a password": (
        r"(?<![\w-])(?:--)?(?i:password|passwd|pwd)\s*=\s*[\"']?"
        rf"{_FILLED_IN}[^\s;&\"']"
    ),
    "a connection string with a key": (
        r"\b(?:AccountKey|SharedAccessKey|SharedSecret)=[A-Za-z0-9+/=]{20}"
    ),
    "a registry login (dockerconfigjson)": r"\"auth\"\s*:\s*\"[A-Za-z0-9+/=]{4}",
}

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME_PATTERNS = {
    said: re.compile(rf"(?:^|_)(?:{pattern})(?:_|$)") for said, pattern in _NAMES.items()
}
_FORM_PATTERNS = {form: re.compile(pattern) for form, pattern in _FORMS.items()}

HIDDEN = "[secret]"
# In a message: quoted text, and how far an unquoted credential may reach.
_QUOTED = re.compile(r"(?<!\w)(['\"])(.*?)\1(?!\w)", re.DOTALL)
_REST_OF_WORD = re.compile(r"\A(?:[^\s;,:)\]'\"`]|[;,:)\]'\"`](?=\S))*")
_REST = re.compile(r"\A.*", re.DOTALL)
_MULTILINE = ("a private key (PEM)", "a private key (PuTTY)")
_TELLING = 8  # the smallest part of a credential that reveals something

# Text that may consist of plain text and a reference to a secret.
_COMPOSED = ("connection string",)

_SWITCHES = {"", "true", "false", "yes", "no", "on", "off"}
_REFERENCE = re.compile(r"\$\([A-Za-z_][A-Za-z0-9_.-]*\)")
# Flags without a value, and values that name a file.
_SWITCH = re.compile(
    r"^(?:NO|WITHOUT|ASK|PROMPT|GENERATE|CREATE|PRINT|READ|ROTATE|LIST)_|" + _ASKS.pattern
)
_FILE = re.compile(
    r"^(?:\.{1,2}/|@|file:)|\.(?:pem|key|crt|cer|json|ya?ml|txt|toml|p12|pfx|jks)$", re.IGNORECASE
)
# A path at which a credential is mounted, in letters that no credential would consist of.
_PATH = re.compile(r"(?:/[a-z0-9._-]+){2,}")


@lru_cache(4096)  # dozens of patterns, and files repeat the same words
def credential_form(value: str) -> str | None:
    """The kind of credential that `value` is or contains, judged by its form; None if unknown."""
    return next((form for form, pattern in _FORM_PATTERNS.items() if pattern.search(value)), None)


def without_credentials(text: str, typed: str = "") -> str:
    """A message with `[secret]` in place of each credential of a known form that it repeats.

    Quoted credentials are hidden as a whole, and so are quotes from `typed`, the value that the
    message is about, if it is a credential. Elsewhere, a credential ends at a blank, and a private
    key at the end of the message.
    """
    secret = typed if credential_form(typed) else ""

    def hide(quoted: re.Match[str]) -> str:
        quote, words = quoted[1], quoted[2]
        part = len(words) >= _TELLING and words in secret
        return f"{quote}{HIDDEN}{quote}" if part or credential_form(words) else quoted[0]

    text = _QUOTED.sub(hide, text)
    for form, pattern in _FORM_PATTERNS.items():
        rest = _REST if form in _MULTILINE else _REST_OF_WORD
        place = 0
        while found := pattern.search(text, place):
            after = rest.sub("", text[found.end() :], count=1)
            place = found.start() + len(HIDDEN)
            text = text[: found.start()] + HIDDEN + after
    return text


def looks_like_credential(name: str, value: str) -> str | None:
    """Why `value` should be a secretRef instead, without showing it; None if nothing suggests so.

    A switch such as `true` is not a credential, whatever its name, nor is a reference to another
    variable: `$(DB_PASSWORD)`, alone or as the password in a URL or connection string.
    """
    value = value.strip()
    if said := _name_says(_upper_words(name), value):
        return f"its name says {said}"
    form = credential_form(value)
    return f"its value looks like {form}" if form else None


def flag_says_credential(flag: str, value: str) -> str | None:
    """What the name of a command's flag says that its value is, if that is a credential.

    A switch such as `--no-password` has no value: the next word is another argument.
    """
    words = _upper_words(flag)
    return None if _SWITCH.search(words) or _FILE.search(value) else _name_says(words, value)


def _upper_words(name: str) -> str:
    return "_".join(_WORDS.findall(name)).upper()


def _name_says(words: str, value: str) -> str | None:
    """The kind of credential that a name with these words says the value is, if it can be one."""
    if _REFERENCE.fullmatch(value) or _is_harmless(words, value):
        return None
    for said in _said_by(words):
        if not (said in _COMPOSED and _holds_reference(value)):
            return said
    return None


def _is_harmless(words: str, value: str) -> bool:
    """Whether a value cannot be a credential, even if a name with these words suggests it."""
    return (
        value.lower() in _SWITCHES
        or (value in ("0", "1") and bool(_ASKS.search(words)))
        or (words.endswith("TOKENS") and bool(_COUNT.fullmatch(value)))
        or (words in ("PWD", "OLDPWD") and value.startswith("/"))  # a shell's working directory
        or bool(_PATH.fullmatch(value))
    )


@lru_cache(4096)
def _said_by(words: str) -> tuple[str, ...]:
    """The kinds of credential that a name says its value is; a name may be about one instead."""
    if _COUNTED.search(words):
        return ()
    return tuple(
        said
        for said, pattern in _NAME_PATTERNS.items()
        if any(
            not _ABOUT.search(words, match.end() - match[0].endswith("_"))
            for match in pattern.finditer(words)
        )
    )


def _holds_reference(value: str) -> bool:
    return bool(_REFERENCE.search(value.replace("$$", "")))
