"""Stands in for the daemon where a test needs one in a process of its own: started by the holder, it binds one
socket, starts one server, says on stdout what it hears, and starts and refills a new holder when its own dies.

Usage: standin-daemon.py HOLDER RUNTIME LOG SERVER…   (SERVER: the command that gets the slot at fd 3)
"""

import hashlib
import os
import socket
import subprocess
import sys
import time

HOLDER, RUNTIME, LOG = sys.argv[1:4]
SERVER = sys.argv[4:]
INVOCATION = hashlib.md5(RUNTIME.encode()).hexdigest()
LOCK = int(os.environ["DEVSOCK_LOCK_FD"])


def say(*words):
    print("daemon", *words, flush=True)


class Connection:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.socket.connect(RUNTIME + "/holder.sock")
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def receive(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 1 << 16, 64)
        if not data:
            raise EOFError
        return data.decode().split("\0"), fds

    def ask(self, *fields, fds=()):
        socket.send_fds(self.socket, ["\0".join(["1", *map(str, fields)]).encode()], list(fds))
        items = []
        while True:
            answer, got = self.receive()
            if answer[0] == "!":
                say("event", *answer[1:])
            elif answer[1] == "item":
                items.append((answer[2:], got))
            else:
                say(fields[0], *answer[1:])
                return answer[1:], got, items


def spec():
    fields = ["id=a#1", f"invocation={INVOCATION}", "cwd=/", f"log={LOG}", "slot=0 http a"]
    fields += [f"arg={each}" for each in SERVER]
    fields += [f"env={name}={os.environ[name]}" for name in ("PATH", "DEVSOCK_RUNTIME_DIR")]
    fd = os.memfd_create("spec")
    os.write(fd, b"".join(field.encode() + b"\0" for field in fields))
    return fd


def refill(items):
    """A new holder gets what the old one's list had, duplicates kept here."""
    command = [HOLDER, "--runtime", RUNTIME, "--log", LOG, "--lock-fd", str(LOCK), "--adopt"]
    subprocess.Popen([*command, "--", *sys.orig_argv], pass_fds=[LOCK], start_new_session=True)
    connection = Connection()
    connection.ask("hello", 1, "daemon")
    for fields, fds in items:
        kind, *rest = fields
        if kind == "socket":
            connection.ask("store", *rest, fds=fds)
        elif kind == "generation":
            name, pid, start, _, _, _, ready, _, invocation, *slots = rest
            connection.ask("adopt", name, pid, start, invocation, ready, *slots, fds=fds)
    return connection


connection = Connection()
connection.ask("hello", 1, "daemon")
answer, _, items = connection.ask("list")
if not items:
    connection.ask("bind", "a", "loopback:0", 128, "600")
    connection.ask("fresh", "a", 1)
    connection.ask("spawn", fds=[spec()])
while True:
    _, _, items = connection.ask("list")
    say("settled")
    try:
        while True:
            event, fds = connection.receive()
            say("event", *event[1:])
            for fd in fds:
                os.close(fd)
    except (EOFError, ConnectionResetError):
        # A process that dies closes what it last opened first: for a moment its listener still takes connections,
        # which are reset with it.
        os.unlink(RUNTIME + "/holder.sock")
        connection = refill(items)
