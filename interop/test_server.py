"""slixmpp against our server."""

import asyncio
import subprocess

from harness import DOMAIN, Case, Certificates, OurServer, new_folder, password_of, register
from readouts import Readouts


class AgainstOurServer(Readouts, Case):
    new_server = OurServer

    @classmethod
    def prepare(cls):
        register(cls.server, "sensor", "ann", "ben", "eve")

    async def test_slixmpp_logs_in_by_tls_and_scram(self):
        client = await self.client("ann")
        self.assertEqual(client.mechanism(), "SCRAM-SHA-256")
        self.assertEqual(client.boundjid.bare, f"ann@{DOMAIN}")
        await client["xep_0199"].ping(DOMAIN)
        info = await client["xep_0030"].get_info(jid=DOMAIN)
        self.assertIn(("server", "im", None, None), info["disco_info"]["identities"])

    async def test_a_wrong_password_is_refused(self):
        client = self.new_client("ann", password=password_of("ben"))
        self.assertEqual(await client.attempt(), "failed_auth")

    async def test_another_authority_is_not_trusted(self):
        other = Certificates(new_folder("other"))
        client = self.new_client("ann", ca=other.ca)
        self.assertEqual(await client.attempt(), "ssl_invalid_chain")

    async def test_messages_and_presence_pass_between_slixmpp_and_our_client(self):
        async def line(text):
            # In a thread, so that slixmpp goes on meanwhile.
            return await asyncio.to_thread(chat.wait_for_line, text)

        chat = self.program("chat", "ben", f"ann@{DOMAIN}", stdin=subprocess.PIPE)
        ben = await line(f"ben@{DOMAIN}/")
        ann = await self.client("ann")
        ann.send_presence()
        # Ours asked before ann was there: the server has kept the request.
        await ann.next_presence("subscribe", f"ben@{DOMAIN}")
        ann.send_presence(pto=f"ben@{DOMAIN}", ptype="subscribed")
        ann.send_presence(pto=f"ben@{DOMAIN}", ptype="subscribe")
        await ann.next_presence("subscribed", f"ben@{DOMAIN}")
        presence = await ann.next_presence("available", f"ben@{DOMAIN}")
        self.assertEqual(presence["from"].full, ben)
        await line(f"{ann.boundjid.full} is available")

        chat.write_line("good morning & <welcome> – ☀")
        message = await ann.next_message(f"ben@{DOMAIN}")
        self.assertEqual(message["body"], "good morning & <welcome> – ☀")
        for receiver in (ben, f"ben@{DOMAIN}"):
            ann.send_message(mto=receiver, mbody=f"<to> {receiver}", mtype="chat")
            await line(f"{ann.boundjid.full}: <to> {receiver}")

        # slixmpp says which version it has, and is told that there is nothing newer.
        roster = await ann.get_roster()
        self.assertEqual(list(roster["roster"]["items"]), [])
        self.assertEqual(ann.client_roster[f"ben@{DOMAIN}"]["subscription"], "both")

        self.assertEqual(chat.stop(), 0)
        await ann.next_presence("unavailable", f"ben@{DOMAIN}")

    async def test_a_message_to_nobody_comes_back(self):
        ann = await self.client("ann")
        ann.send_message(mto=f"nobody@{DOMAIN}", mbody="hello", mtype="chat")
        error = await ann.next_message(f"nobody@{DOMAIN}")
        self.assertEqual(error["type"], "error")
        self.assertEqual(error["error"]["condition"], "service-unavailable")
