"""Certificates, keys and tokens of the servers, created once and kept."""

import base64
import csv
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.servers.record import write_private

HOSTS = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
VALID_FOR = timedelta(days=3650)

# Users of the API server and their groups. The second and third have built-in roles.
ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
KWOK = "kwok"
STORAGE = "storage"
SIMULATED_NODE = "sandbox"  # kwok's, in platform.yaml
REAL_NODE = "containers"  # a name that no simulated node has
NODE = f"system:node:{REAL_NODE}"
USERS: Mapping[str, str] = {
    ADMIN: "system:masters",
    CONTROLLER_MANAGER: "",
    SCHEDULER: "",
    KWOK: "system:masters",
    STORAGE: "system:masters",
    NODE: "system:nodes",
}


class Keys:
    """Their files, in `folder`; only the CA's certificate is readable by others."""

    def __init__(self, folder: Path, more_hosts: Sequence[str] = ()) -> None:
        """The servers' certificate is also for `more_hosts`."""
        self._hosts = (*HOSTS, *more_hosts)
        keys = folder / "keys"
        self.ca_cert = folder / "ca.crt"
        self.server_cert = keys / "server.crt"
        self.server_key = keys / "server.key"
        self.service_account_key = keys / "service-accounts.key"
        self.service_account_public_key = keys / "service-accounts.pub"
        self.tokens = keys / "tokens.csv"
        self._sign_on = keys / "keycloak.json"

    def make(self) -> None:
        """Create what is missing."""
        self.tokens.parent.mkdir(mode=0o700, exist_ok=True)
        if not self.ca_cert.exists():
            self._certificates()
        if not self.service_account_public_key.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            public = key.public_key()
            write_private(self.service_account_key, _pem(key))
            write_private(
                self.service_account_public_key,
                public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            )
        known = self._known_tokens()
        if not known.keys() >= USERS.keys():
            tokens = {user: known.get(user) or secrets.token_hex(32) for user in USERS}
            lines = (f'{tokens[u]},{u},{u},"{USERS[u]}"\n' for u in USERS)
            write_private(self.tokens, "".join(lines))

    def sign_on(self) -> dict[str, str]:
        """Keycloak's secrets: of its administrator, of the client `openbao`, and of all people."""
        if not self._sign_on.exists():
            drawn = {name: secrets.token_urlsafe(24) for name in ("admin", "openbao", "people")}
            write_private(self._sign_on, json.dumps(drawn))
        known: dict[str, str] = json.loads(self._sign_on.read_text(encoding="utf-8"))
        return known

    def _known_tokens(self) -> dict[str, str]:
        """By user."""
        if not self.tokens.exists():
            return {}
        with self.tokens.open(encoding="utf-8", newline="") as stream:
            return {name: token for token, name, *_ in csv.reader(stream)}

    def _certificates(self) -> None:
        """One certificate for all servers. The CA's key is not kept: nothing else needs it."""
        ca_key = ec.generate_private_key(ec.SECP256R1())
        key = ec.generate_private_key(ec.SECP256R1())
        ca_name = _name("SRE platform sandbox")
        now = datetime.now(UTC)
        base = x509.CertificateBuilder().issuer_name(ca_name)
        base = base.not_valid_before(now - timedelta(days=1)).not_valid_after(now + VALID_FOR)
        ca_cert = (
            base.subject_name(ca_name)
            .public_key(ca_key.public_key())
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
            )
            .sign(ca_key, SHA256())
        )
        names = [x509.DNSName(host) for host in self._hosts]
        cert = (
            base.subject_name(_name("sandbox"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            # Also a client's: with it, etcd recognises the API server, and itself.
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.SubjectAlternativeName([*names, x509.IPAddress(IPv4Address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
            .sign(ca_key, SHA256())
        )
        write_private(self.server_key, _pem(key))
        write_private(self.server_cert, cert.public_bytes(Encoding.PEM))
        # Last: if it exists, the others do too.
        self.ca_cert.write_bytes(ca_cert.public_bytes(Encoding.PEM))

    def write_kubeconfig(self, file: Path, user: str, server: str) -> None:
        """For one of `USERS`, with a bearer token."""
        self.write_kubeconfig_with(file, user, self._known_tokens()[user], server)

    def write_kubeconfig_with(self, file: Path, user: str, token: str, server: str) -> None:
        """For anybody's bearer token; `user` is its name in the file."""
        ca_cert = base64.b64encode(self.ca_cert.read_bytes()).decode()
        cluster = {"server": server, "certificate-authority-data": ca_cert}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": user}}],
            "current-context": "sandbox",
        }
        write_private(file, json.dumps(document, indent=2))  # JSON is YAML


def self_signed(*hosts: str) -> tuple[bytes, bytes]:
    """A self-signed certificate for these hosts, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = _name("SRE platform sandbox")
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False
        )
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM), _pem(key)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
