"""Readouts and logins that have to work through any server."""

import re
from datetime import datetime, timedelta, timezone

from harness import DOMAIN, Program, password_of
from sensordata import PLUGINS, become_contact, fields, read

SENSOR = f"sensor@{DOMAIN}"


class Readouts:
    """To be mixed into a case whose server has the accounts `sensor`, `ann` and `eve`."""

    async def test_slixmpp_reads_our_sensor(self):
        _, address = self.sensor("sensor", "ann")
        ann = await self.client("ann", plugins=PLUGINS)
        self.assertEqual(await become_contact(ann, SENSOR), address)

        info = await ann["xep_0030"].get_info(jid=address)
        self.assertIn("urn:xmpp:iot:sensordata", info["disco_info"]["features"])

        arrived = await read(ann, address, flags={"momentary": "true"})
        self.assertEqual(arrived[0]["result"], "accepted", arrived)
        self.assertEqual(arrived[-1]["result"], "done", arrived)
        self.assertTrue(all(call["from"] == address for call in arrived), arrived)
        found = fields(arrived)
        self.assertEqual(found["Memory used"]["typename"], "numeric")
        self.assertEqual(found["Memory used"]["unit"], "B")
        self.assertRegex(found["Memory used"]["value"], r"^[0-9]+$")
        self.assertRegex(found["Load, 1 minute"]["value"], r"^[0-9]+\.[0-9]{2}$")
        self.assertEqual(found["Uptime"]["unit"], "s")
        self.assertEqual(found["Uptime"]["flags"].get("momentary"), "true")
        self.assertNotIn("Memory total", found, "state was not asked for")
        taken = next(call for call in arrived if call["fields"])
        self.assertEqual(taken["node"], "machine")
        age = datetime.now(timezone.utc) - datetime.fromisoformat(taken["time"])
        self.assertLess(abs(age), timedelta(minutes=1))

    async def test_slixmpp_reads_some_fields_of_a_node_and_not_of_another(self):
        _, address = self.sensor("sensor", "ann")
        ann = await self.client("ann", plugins=PLUGINS)
        await become_contact(ann, SENSOR)
        arrived = await read(
            ann, address, nodeIds=["machine"], fields=["Architecture", "Memory total"], flags={"all": "true"}
        )
        self.assertEqual(set(fields(arrived)), {"Architecture", "Memory total"})
        self.assertEqual(fields(arrived)["Architecture"]["typename"], "string")

    async def test_a_stranger_is_refused(self):
        self.sensor("sensor", "ann")
        eve = await self.client("eve", plugins=PLUGINS)
        eve.send_presence()
        eve.send_presence(pto=SENSOR, ptype="subscribe")
        await eve.next_presence("unsubscribed", SENSOR)

    async def test_our_reader_reads_our_sensor(self):
        _, address = self.sensor("sensor", "ann")
        reader = self.program("reader", "ann", SENSOR)
        self.assertEqual(reader.wait(), 0, reader.error_text())
        lines = [line for line in reader.lines if " machine " in line]
        self.assertTrue(any(re.search(r" Memory used +[0-9]+ +B +momentary$", line) for line in lines), reader.output())

        reader = self.program("reader", "ann", SENSOR, "--history", "--fields", "Uptime")
        self.assertEqual(reader.wait(), 0, reader.error_text())
        self.assertIn("historicalSecond", reader.output())

        reader = self.program("reader", "ann", address, "--node", "attic")
        self.assertEqual(reader.wait(), 6, reader.output())
        self.assertIn("item-not-found", reader.error_text())

        reader = self.program("reader", "eve", SENSOR)
        self.assertEqual(reader.wait(), 6, reader.output())


class Logins:
    """To be mixed into the same, where the server listens for direct TLS too."""

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
