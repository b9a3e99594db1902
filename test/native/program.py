"""A program of a generation that does as it is told, for tests: a line of JSON in, a line out.

Usage: program.py SOCKET   (a unix stream socket, where the test listens)
"""

import json
import os
import select
import socket
import stat
import sys

orders = socket.socket(socket.AF_UNIX)
orders.connect(sys.argv[1])
orders = orders.makefile("rw")
listener = socket.socket(fileno=3)
sockets = {}
holder = None
events = []


def keep(each):
    sockets[each.fileno()] = each
    return each.fileno()


def message():
    data, fds, _, _ = socket.recv_fds(holder, 1 << 16, 64)
    return data.decode().split("\0"), [keep(socket.socket(fileno=fd)) if is_socket(fd) else fd for fd in fds]


def is_socket(fd):
    return stat.S_ISSOCK(os.fstat(fd).st_mode)


def ask(verb, args, fds=()):
    socket.send_fds(holder, ["\0".join(["1", verb, *map(str, args)]).encode()], fds)
    while True:
        fields, received = message()
        if fields[0] != "!":
            return [fields[1:], received]
        events.append(fields[1:] + received)


def hello():
    global holder
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    holder.settimeout(10)
    holder.connect(os.environ["HOLDER"])
    return ask("hello", ["1", "client"])


def event():
    if events:
        return events.pop(0)
    fields, received = message()
    return fields[1:] + received


def leave():
    holder.close()


actions = {
    "hello": hello,
    "ask": ask,
    "event": event,
    "leave": leave,
    "accept": lambda: keep(listener.accept()[0]),
    "read": lambda fd: sockets[fd].recv(1 << 16).decode(),
    "write": lambda fd, text: sockets[fd].sendall(text.encode()),
    "close": lambda fd: sockets.pop(fd).close(),
    "file": lambda: keep(socket.socketpair()[0]),
    "readable": lambda fd: bool(select.select([fd], [], [], 0)[0]),
    "exit": lambda: os._exit(0),
}
for line in orders:
    name, *arguments = json.loads(line)
    print(json.dumps(actions[name](*arguments)), file=orders, flush=True)
