"""Reading a device with slixmpp's plugin for XEP-0323."""

import asyncio

from harness import PATIENCE

PLUGINS = ("xep_0030", "xep_0199", "xep_0323")


async def become_contact(client, device):
    """Subscribes to the device, unless an earlier test has, and waits until it is there; gives its full address."""
    client.send_presence()
    client.send_presence(pto=device, ptype="subscribe")
    presence = await client.next_presence("available", device)
    return presence["from"].full


async def read(client, device, **options):
    """Makes a readout and gives what the plugin calls back with, up to the end."""
    calls = asyncio.Queue()

    def call(from_jid, result, nodeId=None, timestamp=None, fields=None, error_msg=None):
        calls.put_nowait(
            {"from": str(from_jid), "result": result, "node": nodeId, "time": timestamp, "fields": fields, "error": error_msg}
        )

    client["xep_0323"].request_data(client.boundjid.full, device, call, **options)
    arrived = []
    while not arrived or arrived[-1]["result"] not in ("done", "rejected", "failure", "cancelled"):
        arrived.append(await asyncio.wait_for(calls.get(), PATIENCE))
    return arrived


def fields(arrived):
    """The fields of a readout by name."""
    return {field["name"]: field for call in arrived for field in call["fields"] or []}
