"""Our sensor and our reader with Prosody between them, over TLS."""

from harness import Case, Prosody, register
from readouts import Logins, Readouts


class ThroughProsody(Readouts, Logins, Case):
    new_server = Prosody

    @classmethod
    def prepare(cls):
        register(cls.server, "sensor", "ann", "eve")
