"""Opens a WebSocket's tunnel, says one line through it, and prints what comes back.

Arguments: the address to dial, the host name, http or https, the path.
"""

import socket
import ssl
import sys

address, host, scheme, path = sys.argv[1:]
connection = socket.create_connection((address, 443 if scheme == "https" else 80), 20)
if scheme == "https":
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = context.wrap_socket(connection, server_hostname=host)
connection.sendall(
    f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
)
answer = connection.makefile("rb")
print(answer.readline().decode().strip())
while answer.readline().strip():
    pass
connection.sendall(b"hello\n")
print(answer.readline().decode().strip())
