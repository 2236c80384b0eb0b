"""The value of a secret, as it comes from a file, a pipe or a keyboard."""

from tools.secrets.error import SecretError

# What a Secret of Kubernetes holds at most (kubernetes: pkg/apis/core/types.go, MaxSecretSize).
LIMIT = 1024 * 1024


def value_of(content: bytes) -> str:
    """The value in `content`. Raises SecretError, which does not show it.

    The newline that ends a single line is `echo`'s and not part of the value. Several lines are a
    file's, such as a key in PEM, and stay as they are: some readers need the last newline.
    """
    if len(content) > LIMIT:
        raise SecretError("the value has more than 1 MiB, the most that a Secret can hold")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise SecretError(
            "the value is not text in UTF-8; encode it, such as with `base64`, and let the app "
            "decode it"
        )
    if not text.strip():
        raise SecretError("the value is empty; give it on standard input")
    if text.endswith("\n") and text.count("\n") == 1:
        text = text.removesuffix("\n").removesuffix("\r")
    return text
