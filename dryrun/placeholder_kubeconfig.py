"""A kubeconfig without a cluster behind it, for programs that require one."""

import base64

import yaml

from specs.readers import Dumper

CA = base64.b64encode(b"placeholder: nothing connects to this server\n").decode("ascii")


def placeholder(context: str | None) -> str:
    """Its text; its one context has the name that the stack's config asks for, if any."""
    name = context or "sandbox"
    server = {
        "server": "https://kubernetes.sandbox.invalid",
        "certificate-authority-data": CA,
    }
    return yaml.dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": "sandbox", "cluster": server}],
            "users": [{"name": "sandbox", "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": "sandbox", "user": "sandbox"}}],
        },
        Dumper=Dumper,
    )
