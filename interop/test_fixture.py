"""The fixture itself: slixmpp and Prosody agree, so that a failure elsewhere is ours."""

from harness import DOMAIN, Case, Certificates, Prosody, new_folder, password_of, register


class Fixture(Case):
    new_server = Prosody

    @classmethod
    def prepare(cls):
        register(cls.server, "ann", "ben")

    async def test_slixmpp_logs_in_to_prosody_by_tls_and_scram(self):
        client = await self.client("ann")
        self.assertEqual(client.mechanism(), "SCRAM-SHA-256")

    async def test_a_message_passes_between_two_accounts(self):
        ann, ben = await self.client("ann"), await self.client("ben")
        ann.send_presence()
        ben.send_presence()
        ann.send_message(mto=ben.boundjid, mbody="good morning", mtype="chat")
        message = await ben.next_message(f"ann@{DOMAIN}")
        self.assertEqual(message["body"], "good morning")

    async def test_a_wrong_password_is_refused(self):
        client = self.new_client("ann", password=password_of("ben"))
        self.assertEqual(await client.attempt(), "failed_auth")

    async def test_another_authority_is_not_trusted(self):
        other = Certificates(new_folder("other"))
        client = self.new_client("ann", ca=other.ca)
        self.assertEqual(await client.attempt(), "ssl_invalid_chain")
