"""A server in another language that says itself when it is ready (sd_notify(3)).

`overlap`: the old generation serves until the new one has said READY=1, so the slow start below is never seen.
"""

import os
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello from generation {os.environ.get('DEVSOCK_GENERATION', 'none')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def notify(state):
    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)


server = ThreadingHTTPServer(("localhost", 4620), Hello, bind_and_activate=False)
if os.environ.get("LISTEN_FDS"):
    server.socket = socket.socket(fileno=3)
else:
    server.server_bind()
    server.server_activate()

time.sleep(0.3)  # a large import, a warm cache
notify("READY=1")
server.serve_forever()
