"""Our sensor and our reader with Prosody between them, over TLS."""

from harness import DOMAIN, Case, Prosody, Program, password_of, register
from readouts import SENSOR, Readouts


class ThroughProsody(Readouts, Case):
    new_server = Prosody

    @classmethod
    def prepare(cls):
        register(cls.server, "sensor", "ann", "eve")

    async def test_direct_tls_works_as_well(self):
        self.sensor("sensor", "ann")
        reader = Program(
            "reader", "--jid", f"ann@{DOMAIN}", "--server", f"127.0.0.1:{self.server.direct_tls_port}", "--direct-tls",
            "--ca", self.server.ca, SENSOR, password=password_of("ann"),
        )
        self.addCleanup(reader.stop)
        self.assertEqual(reader.wait(), 0, reader.error_text())

    async def test_a_wrong_password_is_told_apart(self):
        reader = Program(
            "reader", "--jid", f"ann@{DOMAIN}", "--server", f"127.0.0.1:{self.server.port}", "--ca", self.server.ca,
            SENSOR, password="wrong",
        )
        self.addCleanup(reader.stop)
        self.assertEqual(reader.wait(), 4, reader.error_text())
