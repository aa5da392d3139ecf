"""Finds servers on the LAN as Jellyfin's Python clients do, and connects to each."""

import json

from jellyfin_apiclient_python import JellyfinClient

client = JellyfinClient()
client.config.app("jellynet-test", "1", "test", "1")
client.config.data["http.user_agent"] = "jellynet-test"
client.config.data["auth.ssl"] = False
manager = client.auth
found = manager.process_found_servers(manager._server_discovery())
for server in found:
    state = manager.connect_to_address(server["address"])
    connected = state.get("Servers") or [{}]
    print(json.dumps({"found": server, "connected": connected[0]}), flush=True)
