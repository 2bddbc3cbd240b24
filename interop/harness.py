"""What the tests stand on: certificates, Prosody, ejabberd, our programs, a slixmpp client, and waiting with an end."""

import asyncio
import contextlib
import json
import logging
import os
import pwd
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import slixmpp

DOMAIN = "interop.example"
PROGRAMS = Path(os.environ.get("INTEROP_PROGRAMS", "../target/debug"))
WORK = Path(os.environ.get("INTEROP_WORK") or tempfile.mkdtemp(prefix="interop."))

# What slixmpp sends and receives is in the log that a failure prints.
logging.basicConfig(filename=WORK / "slixmpp.log", level=logging.DEBUG, format="%(asctime)s %(message)s")

# Seconds that anything may take. Generous, because the machine may be busy; nothing waits for it when all is well.
PATIENCE = 30


def new_folder(name):
    """A new folder for one fixture, which keeps its logs."""
    return Path(tempfile.mkdtemp(prefix=f"{name}.", dir=WORK))


def free_port():
    """A port of loopback that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Certificates:
    """A private authority and a server certificate for DOMAIN that it signed."""

    def __init__(self, folder):
        self.ca = folder / "ca.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        ca_key, request = folder / "ca.key", folder / "server.csr"
        extensions = folder / "extensions"
        extensions.write_text(
            f"subjectAltName=DNS:{DOMAIN}\nbasicConstraints=critical,CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
        )
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl(
            "req", "-x509", *curve, "-days", "2", "-subj", "/CN=Interop authority",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", ca_key, "-out", self.ca,
        )
        self._openssl("req", *curve, "-subj", f"/CN={DOMAIN}", "-keyout", self.key, "-out", request)
        self._openssl(
            "x509", "-req", "-in", request, "-days", "2", "-CA", self.ca, "-CAkey", ca_key,
            "-CAcreateserial", "-extfile", extensions, "-out", self.certificate,
        )
        self.chain = folder / "chain.pem"
        self.chain.write_text("".join(part.read_text() for part in (self.certificate, self.ca, self.key)))

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Foreign:
    """A server that is not ours, in the foreground, without privileges, with its own folder, ports and certificate."""

    name = user = template = None

    def __init__(self):
        self.folder = new_folder(self.name)
        self.certificates = Certificates(self.folder)
        self.ca = self.certificates.ca
        self.port, self.direct_tls_port = free_port(), free_port()
        self.accounts = []
        self.process = None
        (self.folder / "data").mkdir()
        values = {
            "folder": self.folder,
            "domain": DOMAIN,
            "port": self.port,
            "direct_tls_port": self.direct_tls_port,
            "certificate": self.certificates.certificate,
            "key": self.certificates.key,
            "chain": self.certificates.chain,
        }
        config = Path(__file__).with_name(self.template).read_text()
        for name, value in values.items():
            config = config.replace(f"@{name}@", str(value))
        self.config = self.folder / self.template
        self.config.write_text(config)
        self.prepare()
        # They refuse to run as root, so root lends them to the user that their package made.
        self.prefix = []
        if os.getuid() == 0:
            user = pwd.getpwnam(self.user)
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, user.pw_uid, user.pw_gid)
            self.folder.chmod(0o755)
            self.prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
        self.output = (self.folder / "output.log").open("wb")

    def prepare(self):
        """Writes what else the server needs into its folder."""

    def run(self):
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    def add(self, user, password):
        """The command that adds an account."""
        raise NotImplementedError

    def environment(self):
        return {**os.environ, "HOME": str(self.folder)}

    def start(self):
        self.process = subprocess.Popen(
            [*self.prefix, *self.run()], stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            cwd=self.folder, env=self.environment(), start_new_session=True,
        )
        wait_for_port(self.port, self.process)
        wait_for_port(self.direct_tls_port, self.process)
        for account in self.accounts:
            subprocess.run(
                [*self.prefix, *self.add(*account)], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                cwd=self.folder, env=self.environment(), timeout=PATIENCE,
            )
        return self

    def register(self, user, password):
        """An account that is there once the server has started, and its JID."""
        self.accounts.append((user, password))
        return f"{user}@{DOMAIN}"

    def stop(self):
        if self.process is not None:
            # Some are started by a script, which would end alone.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            stop_process(self.process)
        self.output.close()


class Prosody(Foreign):
    name = user = "prosody"
    template = "prosody.cfg.lua"

    def run(self):
        return ["prosody", "--config", str(self.config), "-F"]

    def add(self, user, password):
        return ["prosodyctl", "--config", str(self.config), "register", user, DOMAIN, password]


class Ejabberd(Foreign):
    name = user = "ejabberd"
    template = "ejabberd.yml"

    def prepare(self):
        # With a port of its own it needs no port mapper, which other programs would share.
        (self.folder / "ctl.cfg").write_text(
            f"ERL_DIST_PORT={free_port()}\nINET_DIST_INTERFACE=127.0.0.1\nERLANG_NODE=interop@localhost\n"
        )
        (self.folder / "inetrc").write_text("{lookup,[file,native]}.\n")

    def control(self, *command):
        return [
            "/usr/sbin/ejabberdctl", "--config-dir", str(self.folder), "--config", str(self.config),
            "--ctl-config", str(self.folder / "ctl.cfg"), "--logs", str(self.folder),
            "--spool", str(self.folder / "data"), *command,
        ]

    def run(self):
        return self.control("foreground")

    def add(self, user, password):
        return self.control("register", user, DOMAIN, password)


class Program:
    """One of our programs. Its standard output is read line by line, its standard error goes to a log."""

    def __init__(self, name, *arguments, password=None, folder=None, stdin=subprocess.DEVNULL):
        self.name = name
        folder = folder or new_folder(name)
        self.log = folder / f"{name}.log"
        environment = {**os.environ, "RUST_BACKTRACE": "1"}
        environment.pop("XMPP_PASSWORD", None)
        if password is not None:
            environment["XMPP_PASSWORD"] = password
        self.errors = self.log.open("wb")
        self.process = subprocess.Popen(
            [str(PROGRAMS / name), *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
        )
        self.lines = []
        self._queue = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def next_line(self, timeout=PATIENCE):
        """The next line of standard output; none at its end."""
        return self._queue.get(timeout=timeout)

    def write_line(self, line):
        """Writes a line to standard input, which has to be a pipe."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for_line(self, text, timeout=PATIENCE):
        """The next line of standard output that contains `text`."""
        end = time.monotonic() + timeout
        while True:
            line = self.next_line(max(0.01, end - time.monotonic()))
            if line is None:
                raise AssertionError(f"{self.name} ended before it wrote {text!r}: {self.lines}\n{self.error_text()}")
            if text in line:
                return line

    def wait(self, timeout=PATIENCE):
        """The exit code, once the program has ended by itself."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def output(self):
        return "\n".join(self.lines)

    def error_text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """Asks the program to end and gives its exit code."""
        code = stop_process(self.process)
        self._reader.join(PATIENCE)
        self.process.stdout.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.errors.close()
        return code


class OurServer:
    """Our server on its own store, certificate and port."""

    def __init__(self):
        self.folder = new_folder("server")
        self.certificates = Certificates(self.folder)
        self.ca = self.certificates.ca
        self.data = self.folder / "data"
        self.program = None
        self.port = None

    def start(self):
        self.program = Program(
            "server", "run", "--domain", DOMAIN, "--data", self.data, "--listen", "127.0.0.1:0",
            "--cert", self.certificates.certificate, "--key", self.certificates.key, folder=self.folder,
        )
        line = self.program.next_line()
        if line is None:
            raise AssertionError(f"the server did not start: {self.program.error_text()}")
        ready = json.loads(line)
        self.port = int(ready["listen"].rsplit(":", 1)[1])
        return self

    def register(self, user, password):
        """Makes an account, before the server runs, and gives its JID."""
        subprocess.run(
            [str(PROGRAMS / "server"), "user", "add", "--data", str(self.data), f"{user}@{DOMAIN}"],
            check=True, input=password + "\n", text=True, capture_output=True, timeout=PATIENCE,
        )
        return f"{user}@{DOMAIN}"

    def stop(self):
        if self.program is not None:
            return self.program.stop()
        return None


def wait_for_port(port, process):
    """Waits until something listens; fails at once when the process has ended."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"{process.args} ended with {process.returncode} before it listened")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port} after {PATIENCE} s")


def stop_process(process):
    """Ends a process gently, then by force, and gives its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Client(slixmpp.ClientXMPP):
    """A slixmpp client that insists on STARTTLS with the given authority."""

    def __init__(self, jid, password, server, ca=None, plugins=("xep_0030", "xep_0199")):
        super().__init__(jid, password)
        self.address = ("127.0.0.1", server.port)
        self.ca_certs = Path(ca or server.ca)
        self.enable_direct_tls = False
        self.enable_plaintext = False
        # Tests say themselves who may subscribe.
        self.auto_authorize = None
        self.auto_subscribe = False
        for plugin in plugins:
            self.register_plugin(plugin)
        self.messages = asyncio.Queue()
        self.presences = asyncio.Queue()
        self.outcome = asyncio.get_running_loop().create_future()
        for event in ("session_start", "failed_auth", "ssl_invalid_chain", "connection_failed", "stream_error"):
            self.add_event_handler(event, lambda data, event=event: self._settle(event))
        for event in ("message", "message_error"):
            self.add_event_handler(event, self.messages.put_nowait)
        self.add_event_handler("presence", self.presences.put_nowait)

    def _settle(self, event):
        if not self.outcome.done():
            self.outcome.set_result(event)

    async def attempt(self):
        """Connects, and tells how that ended: "session_start" when all went well."""
        self.connect(*self.address)
        return await asyncio.wait_for(self.outcome, PATIENCE)

    async def log_in(self):
        outcome = await self.attempt()
        if outcome != "session_start":
            raise AssertionError(f"{self.boundjid} could not log in: {outcome}")
        # Who has asked for the roster is told of changes to it, and of what becomes of requests to subscribe.
        await self.get_roster()
        return self

    def mechanism(self):
        """The SASL mechanism that was used."""
        return self["feature_mechanisms"].mech.name

    async def next_message(self, sender=None):
        """The next message from that bare JID."""
        return await self._next(self.messages, lambda message: sender in (None, message["from"].bare))

    async def next_presence(self, kind, sender):
        """The next presence of that kind from that bare JID."""
        return await self._next(
            self.presences, lambda presence: presence["from"].bare == sender and presence["type"] == kind
        )

    @staticmethod
    async def _next(arrivals, wanted):
        async def search():
            while True:
                stanza = await arrivals.get()
                if wanted(stanza):
                    return stanza

        return await asyncio.wait_for(search(), PATIENCE)

    async def log_out(self):
        try:
            await asyncio.wait_for(asyncio.shield(self.disconnect(wait=2)), 10)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            self.abort()


class Case(unittest.IsolatedAsyncioTestCase):
    """A test with one server, given by `new_server`, for the whole class."""

    new_server = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.new_server()
        cls.addClassCleanup(cls.server.stop)
        cls.prepare()
        cls.server.start()

    @classmethod
    def prepare(cls):
        """Registers the accounts that the tests need."""

    async def asyncSetUp(self):
        # The debug mode of tests reports each slow step; slixmpp has some, and they are no concern of ours.
        asyncio.get_running_loop().slow_callback_duration = PATIENCE

    async def client(self, user, **options):
        """A client of that user that is logged in."""
        client = self.new_client(user, **options)
        return await client.log_in()

    def new_client(self, user, password=None, **options):
        client = Client(f"{user}@{DOMAIN}/test", password or password_of(user), self.server, **options)
        self.addAsyncCleanup(client.log_out)
        return client

    def program(self, name, user, *arguments, **options):
        """One of our programs, logged in as that user."""
        account = ["--jid", f"{user}@{DOMAIN}", "--server", f"127.0.0.1:{self.server.port}", "--ca", self.server.ca]
        program = Program(name, *account, *arguments, password=password_of(user), **options)
        self.addCleanup(program.stop)
        return program

    def sensor(self, user, *contacts):
        """Our sensor, online, and its full address."""
        arguments = [argument for contact in contacts for argument in ("--contact", f"{contact}@{DOMAIN}")]
        sensor = self.program("sensor", user, *arguments)
        return sensor, sensor.wait_for_line(f"{user}@{DOMAIN}/")


def password_of(user):
    """The password under which the tests register a user."""
    return f"the secret of {user}"


def register(server, *users):
    for user in users:
        server.register(user, password_of(user))
