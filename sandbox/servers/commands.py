"""`make servers` and `make servers-down`."""

import fcntl
import os
import shlex
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from binaries.console import INTERRUPTED, UserError, complain, say
from binaries.pinned import server_binaries
from clients.http import Http, RefusedError, UnreachableError
from clients.kubernetes import Cluster
from clients.local_servers import FOLDER, environment_file
from clients.openbao import OpenBao
from sandbox.servers import (
    cluster_setup,
    mesh,
    openbao_start,
    parts,
    platform_parts,
    record,
    stand_ins,
)
from sandbox.servers.container_node import ContainerNode
from sandbox.servers.parts import Parts
from sandbox.servers.platform_parts import (
    PLATFORM_PARTS,
    TOKEN_SECONDS,
    Gateway,
    PlatformPart,
)
from sandbox.servers.processes import Interrupts, Process, stop
from sandbox.servers.single_sign_on import SingleSignOn
from specs.env_vars import PULL_SECRET, PUSH_SECRET
from specs.secret_paths import MOUNT

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
READY_WITHIN = 300  # seconds, for each step; on an idle machine they take twelve in total
KEYCLOAK_WITHIN = 600  # seconds; at its first start it creates its database
NOTHING = "No servers are running here."
SERVERS = (
    *parts.STORES,
    *parts.CONTROLLERS,
    *platform_parts.NAMES,
    parts.KEYCLOAK,
    *parts.CONTAINERS,
)


class StartError(Exception):
    """A server that does not start properly."""

    def __init__(self, process: Process, why: str) -> None:
        super().__init__(f"{process.name} {why}")
        self.log = process.log
        self.last_lines = process.last_lines()


def run(command: str, root: Path = ROOT) -> int:
    """Run "servers" or "servers-down" in a checkout; return the exit code. It reports failures."""
    folder = root.resolve() / FOLDER
    if command == "servers-down" and not folder.exists():
        say(NOTHING)
        return 0
    try:
        with Interrupts() as interrupts, _locked(folder):
            COMMANDS[command](LocalServers(root.resolve(), interrupts))
    except UserError as error:
        complain(str(error))
        return 1
    except StartError as error:
        complain(f"{error}; all servers are stopped. The end of {error.log}:")
        for line in error.last_lines:
            complain(f"  {line}")
        return 1
    except KeyboardInterrupt:
        complain("Interrupted; what was started has been stopped.")
        return INTERRUPTED
    return 0


class LocalServers:
    """The servers of a checkout, whose lock is held."""

    def __init__(self, root: Path, interrupts: Interrupts) -> None:
        self._root = root
        self.folder = folder = root / FOLDER
        self._interrupts = interrupts
        self.parts = Parts(folder)
        self._processes = {name: Process(folder, name) for name in SERVERS}
        self._node = ContainerNode(self.parts)
        self._sign_on = SingleSignOn(self.parts)
        self._expected: list[str] = []

    def running(self) -> list[str]:
        return [name for name, process in self._processes.items() if process.pid]

    def settle(self) -> None:
        """An API server takes minutes to reconnect to a restarted etcd, so it is restarted too."""
        if not self._processes[parts.ETCD].pid:
            with self._interrupts.held():
                stop([self._processes[parts.API_SERVER]])

    def start(self, chosen: Collection[str]) -> None:
        """Start those that do not run and wait until all are ready; if that fails, stop all.

        Of the optional parts, the `chosen` ones are started; others that run keep running.
        """
        runs = any(self._processes[name].pid for name in parts.CONTAINERS)
        filters = parts.PACKETS in chosen or (runs and self._node.filters)
        has_node = runs or parts.NODE in chosen or filters
        if has_node and self._processes[parts.ISTIOD].pid:
            chosen = {*chosen, parts.ISTIO}
        installed = list(_installed(chosen))
        gateway = next((part for part in installed if isinstance(part, Gateway)), None)
        if has_node:
            self._node.get(filters, in_mesh=gateway is not None)
        has_keycloak = self._has_keycloak(chosen)
        self.parts.prepare(keep_ports=bool(self.running()))
        if not self._processes[parts.KEYCLOAK].pid:
            self.parts.write_authentication()
        commands = self.parts.commands(server_binaries())
        try:
            # The way to the node's kubelet; what is on 127.0.0.1 is reached without it.
            proxy = f"http://127.0.0.1:{self.parts.ports[parts.NODE]}"
            self._launch(parts.STORES, commands, HTTPS_PROXY=proxy)
            self._await(parts.ETCD, self._says_ok(parts.ETCD, "health"))
            token = self._await(parts.OPENBAO, self._unseal)
            self._await(parts.API_SERVER, self._says_ok(parts.API_SERVER, "readyz"))
            self._launch(parts.CONTROLLERS, commands, PYTHONPATH=str(self._root))
            self._await(parts.API_SERVER, lambda: self._furnish(installed))
            for name in (parts.CONTROLLER_MANAGER, parts.SCHEDULER):
                self._await(name, self._says_ok(name, "healthz"))
            self._await(parts.KWOK, lambda: cluster_setup.check(self._cluster()))
            for part in installed:
                if not (has_node and part is gateway):
                    self._run(part)
            if has_node:
                self._start_node(filters, gateway, token)
            else:
                use = cluster_setup.use_simulated_node
                self._await(parts.API_SERVER, lambda: use(self._cluster()))
            more: dict[str, str] = {}
            if has_keycloak:
                self._start_keycloak(token)
                more = self._sign_on.for_clients()
            record.write(self.folder, self.parts.address(parts.OPENBAO), token, more)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop servers that depend on others first, so that all end at once."""
        with self._interrupts.held():
            environment_file(self.folder).unlink(missing_ok=True)
            for names in (
                (
                    *parts.CONTAINERS,
                    *platform_parts.NAMES,
                    *parts.CONTROLLERS,
                    parts.KEYCLOAK,
                    parts.OPENBAO,
                ),
                (parts.API_SERVER,),
                (parts.ETCD,),
            ):
                stop(self._processes[name] for name in names)
            self._node.clean()

    def _start_node(self, filters: bool, gateway: Gateway | None, openbao_token: str) -> None:
        in_mesh = gateway is not None
        if not in_mesh:  # no sidecar could run
            remove = cluster_setup.remove_webhooks
            self._await(parts.API_SERVER, lambda: remove(self._cluster(), mesh.INJECTOR))
        joins_or_leaves = in_mesh != self._node.in_mesh
        with self._interrupts.held():
            stop([self._processes[parts.GATEWAY]])
            if joins_or_leaves or filters != self._node.filters:
                stop([self._processes[parts.NODE]])
        if filters:
            account = cluster_setup.POLICY_ENFORCER
            self._node.log_in(self._cluster().token(*account, seconds=TOKEN_SECONDS))
        if in_mesh:
            token = self._cluster().token(*mesh.CNI_ACCOUNT, seconds=TOKEN_SECONDS)
            self._node.log_in_to_mesh(token)
        commands = self._node.commands()
        if not self._processes[parts.NODE].pid:
            self._node.clean()
            forget = cluster_setup.forget_real_node
            self._await(parts.API_SERVER, lambda: forget(self._cluster()))
        if joins_or_leaves:
            replace = cluster_setup.replace_pods  # those with a sidecar, or those without
            self._await(parts.API_SERVER, lambda: replace(self._cluster()))
        for name, password in _robots(self._openbao(openbao_token)):
            self._node.registry.users.add(name, password)
        self._launch((parts.REGISTRY,), commands)
        registry = self._node.registry.client()
        self._await(parts.REGISTRY, registry.check)
        images = list(stand_ins.of_stack(self._root))
        self._await(parts.REGISTRY, lambda: [registry.push(*each) for each in images])
        self._launch((parts.NODE,), commands)
        self._await(parts.NODE, lambda: cluster_setup.check_real_node(self._cluster()))
        self._await(parts.API_SERVER, lambda: cluster_setup.use_real_node(self._cluster()))
        if gateway:
            self._await(parts.NODE, lambda: gateway.run_on_node(self.parts, self._cluster()))
            self._await(parts.NODE, lambda: mesh.check_gateway(self._cluster()))

    def _has_keycloak(self, chosen: Collection[str]) -> bool:
        """Whether it runs or is chosen, and this machine can run it."""
        if not (self._processes[parts.KEYCLOAK].pid or parts.KEYCLOAK in chosen):
            return False
        try:
            self._sign_on.get()
        except UserError as error:
            say(f"{error} The servers start without it.")
            return False
        return True

    def _start_keycloak(self, openbao_token: str) -> None:
        name, sign_on = parts.KEYCLOAK, self._sign_on
        self._launch((name,), {name: sign_on.command()}, **sign_on.environment())
        self._await(name, sign_on.check, KEYCLOAK_WITHIN)
        self._await(name, sign_on.create_realm)
        openbao = self._openbao(openbao_token)
        self._await(parts.OPENBAO, lambda: sign_on.let_people_into_openbao(openbao))
        sign_on.let_people_into_the_cluster()
        token = self._await(name, sign_on.somebodys_token)
        cluster = self._cluster().with_token(token)
        self._await(parts.API_SERVER, cluster.who_am_i)
        self._await(
            parts.API_SERVER, lambda: cluster_setup.make(self._cluster(), sign_on.objects())
        )

    def _run(self, part: PlatformPart) -> None:
        if not self._processes[part.name].pid:
            self._await(parts.API_SERVER, lambda: part.log_in(self.parts, self._cluster()))
        commands = {part.name: part.command(self.parts)}
        settings = {"KUBECONFIG": str(part.kubeconfig(self.parts)), "PYTHONPATH": str(self._root)}
        self._launch((part.name,), commands, **settings, **part.environment)
        self._await(part.name, lambda: part.check(self.parts))

    def _furnish(self, installed: Sequence[PlatformPart]) -> None:
        cluster = self._cluster()
        for kind in PLATFORM_PARTS:
            if not self._processes[kind.name].pid:
                cluster_setup.remove_webhooks(cluster, kind.webhooks)
        cluster_setup.furnish(cluster, installed)

    def _launch(
        self, names: Iterable[str], commands: dict[str, parts.Command], **settings: str
    ) -> None:
        # None of the user's settings.
        environment = {"PATH": parts.PATH, "HOME": str(self.folder), **settings}
        for name in names:
            process = self._processes[name]
            if not process.pid:
                say(f"Starting {name} ...", passing=True)
                try:
                    with self._interrupts.held():
                        process.start(commands[name], environment)
                except OSError as error:
                    raise StartError(process, f"cannot be run ({error.strerror})") from None
            self._expected.append(name)

    def _await(self, name: str, ask: Callable[[], T], within: float = READY_WITHIN) -> T:
        """Return the answer of `ask`; raise StartError if a server ends first, or on timeout."""
        deadline = time.monotonic() + within
        while True:
            for expected in self._expected:
                if not self._processes[expected].pid:
                    raise StartError(self._processes[expected], "has ended")
            try:
                return ask()
            except (RefusedError, UnreachableError, parts.UnsettledError) as error:
                why = error
            if time.monotonic() > deadline:
                raise StartError(self._processes[name], f"is not ready: {why}")
            time.sleep(0.1)

    def _says_ok(self, name: str, path: str) -> Callable[[], object]:
        keys = self.parts.keys
        cert = (str(keys.server_cert), str(keys.server_key))  # etcd requires it
        http = Http(self.parts.address(name), keys.ca_cert, cert, retries=0)
        return lambda: http.call("GET", path, {})

    def _unseal(self) -> str:
        file = self.folder / "keys" / "openbao-root.json"
        return openbao_start.unseal(self._openbao(None), file, self._interrupts)

    def _openbao(self, token: str | None) -> OpenBao:
        address = self.parts.address(parts.OPENBAO)
        return OpenBao(address, token, self.parts.keys.ca_cert, retries=0)

    def _cluster(self) -> Cluster:
        """A new client: a client caches which kinds are served."""
        return Cluster(kubeconfig=self.parts.kubeconfig, retries=0)


def _installed(chosen: Collection[str]) -> Iterator[PlatformPart]:
    """The chosen parts of the platform that this machine can run."""
    for kind in PLATFORM_PARTS:
        if kind.choice not in chosen:
            continue
        try:
            part = kind()
        except UserError as error:
            say(f"{error} The servers start without it.")
        else:
            yield part


def _robots(openbao: OpenBao) -> Iterator[tuple[str, str]]:
    """Name and secret of each robot of Harbor whose credential is stored."""
    teams = openbao.read(f"{MOUNT}/metadata?list=true") or {"keys": []}
    for team in teams["keys"]:
        for secret in (PULL_SECRET, PUSH_SECRET):
            if found := openbao.read(f"{MOUNT}/data/{team}{secret}"):
                yield found["data"]["username"], found["data"]["password"]


def up(servers: LocalServers) -> None:
    """Start what does not run, and print how to reach it."""
    chosen = platform_parts.chosen(os.environ)
    began = time.monotonic()
    servers.settle()
    before = set(servers.running())
    servers.start(chosen)
    started = [name for name in servers.running() if name not in before]
    if not started:
        say("The servers are already running.")
    else:
        again = "again " if before else ""
        say(f"Started {again}{', '.join(started)} in {time.monotonic() - began:.0f} s.")
    say(f"  KUBECONFIG={servers.parts.kubeconfig}")
    say(f"  BAO_ADDR={servers.parts.address(parts.OPENBAO)}")
    file = shlex.quote(str(environment_file(servers.folder)))
    say(f"For kubectl, bao and pulumi in this shell: . {file}")


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Hold the lock on the checkout's servers, with the folder created; wait for its holder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another `make servers` or `make servers-down` here to end ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def down(servers: LocalServers) -> None:
    """Stop all running servers; their data is kept."""
    running = servers.running()
    servers.stop()
    say(
        f"Stopped {', '.join(running)}; their data is kept in {servers.folder}."
        if running
        else NOTHING
    )


COMMANDS: dict[str, Callable[[LocalServers], None]] = {"servers": up, "servers-down": down}
