"""Our sensor and our reader with ejabberd between them, over TLS."""

from harness import Case, Ejabberd, register
from readouts import Logins, Readouts


class ThroughEjabberd(Readouts, Logins, Case):
    new_server = Ejabberd

    @classmethod
    def prepare(cls):
        register(cls.server, "sensor", "ann", "eve")
