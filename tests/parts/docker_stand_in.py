"""Stands in for Docker where none runs: only the commands that an app's pipeline uses.

Like Docker, it keeps logins in `$DOCKER_CONFIG/config.json`, where other programs look for them. It
builds one Dockerfile only, and keeps the last image in the same folder.
"""

import argparse
import base64
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from clients.http import RefusedError
from sandbox.servers.images import Image, ImageRegistry, digest

LOGINS = "config.json"
BUILT = "built.json"  # the last image: its name, and its files
ARCHIVE = "built.tar"  # the same in OCI's layout
DOCKERFILE = 'FROM scratch\nCOPY . /\nCMD ["/bin/app"]\n'


def main(arguments: Sequence[str]) -> None:
    """Runs one command."""
    parser = argparse.ArgumentParser(prog="docker")
    commands = parser.add_subparsers(required=True)
    build = commands.add_parser("build")
    build.add_argument("--tag", required=True)
    build.add_argument("context", type=Path)
    build.set_defaults(run=_build)
    login = commands.add_parser("login")
    login.add_argument("--username", required=True)
    login.add_argument("--password-stdin", action="store_true", required=True)
    login.add_argument("host")
    login.set_defaults(run=_login)
    logout = commands.add_parser("logout")
    logout.add_argument("host")
    logout.set_defaults(run=_logout)
    push = commands.add_parser("push")
    push.add_argument("image")
    push.set_defaults(run=_push)
    image = commands.add_parser("image").add_subparsers(required=True)
    inspect = image.add_parser("inspect")
    inspect.add_argument("--format", required=True, choices=['{{join .RepoDigests "\\n"}}'])
    inspect.add_argument("image")
    inspect.set_defaults(run=_inspect)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except RefusedError as error:
        sys.exit(f"Error response from daemon: {error}")


def _build(options: argparse.Namespace) -> None:
    if (options.context / "Dockerfile").read_text(encoding="utf-8") != DOCKERFILE:
        sys.exit("The stand-in for Docker cannot build that.")
    files = {
        f"/{file.relative_to(options.context)}": file.read_text(encoding="utf-8")
        for file in options.context.rglob("*")
        if file.is_file()
    }
    built = {"name": options.tag, "files": files}
    _kept(BUILT).write_text(json.dumps(built), encoding="utf-8")
    _image(options.tag).save(_kept(ARCHIVE), options.tag)


def _image(name: str) -> Image:
    """Always the same for the same files."""
    built = json.loads(_kept(BUILT).read_text(encoding="utf-8"))
    if built["name"] != name:
        sys.exit(f"Error response from daemon: No such image: {name}")
    return Image.make(built["files"], ["/bin/app"], busybox=False)


def _login(options: argparse.Namespace) -> None:
    password = sys.stdin.read().rstrip("\n")
    _registry(options.username, password).check()
    auth = base64.b64encode(f"{options.username}:{password}".encode()).decode()
    logins = {"auths": {options.host: {"auth": auth}}}
    _kept(LOGINS).write_text(json.dumps(logins), encoding="utf-8")
    print("Login Succeeded")


def _logout(options: argparse.Namespace) -> None:
    _kept(LOGINS).unlink(missing_ok=True)
    print(f"Removing login credentials for {options.host}")


def _push(options: argparse.Namespace) -> None:
    host, _, rest = options.image.partition("/")
    repository, _, tag = rest.partition(":")
    logins = json.loads(_kept(LOGINS).read_text(encoding="utf-8"))["auths"]
    user, _, password = base64.b64decode(logins[host]["auth"]).decode().partition(":")
    _registry(user, password).push(repository, tag, _image(options.image))


def _inspect(options: argparse.Namespace) -> None:
    manifest = _image(options.image).manifest
    print(f"{options.image.rpartition(':')[0]}@{digest(manifest)}")


def _registry(user: str, password: str) -> ImageRegistry:
    address, ca_cert = os.environ["STAND_IN_REGISTRY"], Path(os.environ["SSL_CERT_FILE"])
    return ImageRegistry(address, ca_cert, user, password)


def _kept(name: str) -> Path:
    return Path(os.environ["DOCKER_CONFIG"], name)


if __name__ == "__main__":
    main(sys.argv[1:])
