"""Connects over TLS again and again, in several threads, and asks for /health each time.

Says which certificate is shown for the first time, how many answers there were, and every failure.

Usage: handshakes.py HOST PORT
"""

import hashlib
import socket
import ssl
import sys
import threading

address = (sys.argv[1], int(sys.argv[2]))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
lock, seen, answers = threading.Lock(), set(), 0


def say(text):
    print(text, flush=True)


def once():
    with socket.create_connection(address, 20) as plain, context.wrap_socket(plain) as stream:
        shown = hashlib.sha256(stream.getpeercert(True)).hexdigest()
        stream.sendall(b"GET /health HTTP/1.1\r\nHost: tv.lan\r\nConnection: close\r\n\r\n")
        answer = b""
        while octets := stream.recv(4096):
            answer += octets
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise OSError(f"answered {answer[:40]!r}")
    return shown


def work():
    global answers
    while True:
        try:
            shown = once()
        except OSError as error:
            say(f"failed: {type(error).__name__}: {error}")
            continue
        with lock:
            answers += 1
            if shown not in seen:
                seen.add(shown)
                say(f"shown {shown}")
            if answers % 50 == 0:
                say(f"answers {answers}")


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
