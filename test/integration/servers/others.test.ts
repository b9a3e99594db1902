import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Rig } from '../../rig/rig.ts'
import { asUser, dialogue, matrix, type Server } from './matrix.ts'

const JAVA = `import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
public class Server {
  public static void main(String[] args) throws Exception {
    var server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("PORT"))), 0);
    server.createContext("/", exchange -> {
      System.out.println("from " + exchange.getRemoteAddress().getAddress().getHostAddress());
      var body = "v1".getBytes();
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }
}
`

/** One connection after the other, or a thread each: accept() blocks, as it does for most such programs. */
const c = (threaded: boolean) => `#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static void *serve(void *connection) {
  static const char answer[] = "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nv1";
  int fd = (int)(intptr_t)connection;
  char request[4096];
  if (read(fd, request, sizeof request) > 0 && write(fd, answer, strlen(answer)) < 0) perror("write");
  close(fd);
  return NULL;
}
int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT")))}, peer;
  if (bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 5) != 0) return perror("bind"), 1;
  for (;;) {
    socklen_t size = sizeof peer;
    int fd = accept(listener, (struct sockaddr *)&peer, &size);
    if (fd < 0) return perror("accept"), 1;
    printf("from %s\\n", inet_ntoa(peer.sin_addr));
    pthread_t thread;
    ${threaded ? 'pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd), pthread_detach(thread)' : '(void)thread, serve((void *)(intptr_t)fd)'};
  }
}
`

const inC = (name: string, threaded: boolean, ...flags: string[]): Server => ({
  name,
  version: ['cc', '-dumpfullversion'],
  files: { 'server.c': c(threaded) },
  command: './server',
  logs: /from 127\.0\.0\.1/,
  prepare: ({ dir }) =>
    void execFileSync('cc', [...flags, '-pthread', '-o', join(dir, 'server'), join(dir, 'server.c')]),
})

/** The newest that Debian installed; its programs are in no PATH. */
const POSTGRES = (): string => {
  const [newest] = readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a))
  return `/usr/lib/postgresql/${newest}/bin`
}

/** Protocol 3.0: its length, the version, and name and value of each parameter, all ended by NULs. */
function startupPacket(): Buffer {
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0')
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + parameters.length, 0)
  head.writeInt32BE(3 << 16, 4)
  return Buffer.concat([head, parameters])
}

/** It accepts before it is up, and says so (57P03, cannot_connect_now): clients of a database come again. */
async function askPostgres(port: number, host: string): Promise<string> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const heard = await dialogue(port, host, startupPacket(), 'server_version')
    if (!heard.includes('C57P03') || Date.now() > deadline) return heard
  }
}

function createDatabase({ dir, env }: Rig): void {
  const command = [`${POSTGRES()}/initdb`, '-D', 'data', '-U', 'postgres', '-A', 'trust', '--no-sync']
  const [file = '', ...args] = process.getuid?.() === 0 ? [...asUser('postgres'), ...command] : command
  execFileSync(file, args, { cwd: dir, env: { ...env, LC_ALL: 'C' }, stdio: 'pipe' })
}

const NGINX = `daemon off;
error_log stderr;
pid nginx.pid;
events {}
http {
  access_log /dev/stdout;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 8080;
    return 200 v1;
  }
}
`

const GO = `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("from", r.RemoteAddr)
		fmt.Fprint(w, "v1")
	})
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`

const inGo = (name: string, cgo: '0' | '1', ...flags: string[]): Server => ({
  name,
  version: ['go', 'version'],
  files: { 'server.go': GO },
  command: './server',
  logs: /from 127\.0\.0\.1/,
  prepare: ({ dir }) =>
    void execFileSync('go', ['build', ...flags, '-o', 'server', 'server.go'], {
      cwd: dir,
      env: { ...process.env, CGO_ENABLED: cgo },
    }),
})

matrix('others', [
  { ...inC('C, static', true, '-static'), logs: undefined, notes: 'an AF_INET program sees AF_INET6 peers' },
  inGo('Go, static', '0'),
  inGo('Go, dynamic', '1', '-ldflags=-linkmode=external'),
  inC('C, blocking', false),
  inC('C, a thread a connection', true),
  inC('C under AddressSanitizer', true, '-fsanitize=address'),
  {
    name: 'php -S',
    version: ['php', '--version'],
    files: { 'index.php': '<?php echo "v1 ".$_SERVER["REMOTE_ADDR"];' },
    command: 'php -S localhost:$PORT',
    logs: /127\.0\.0\.1:\d+ \[200\]/,
    reloads: 'index.php',
  },
  {
    name: 'puma',
    version: ['puma', '--version'],
    files: {
      'config.ru': 'run ->(env) { $stdout.puts "from #{env["REMOTE_ADDR"]}"; [200, {}, ["v1"]] }',
    },
    command: 'puma -p $PORT',
    logs: /from 127\.0\.0\.1/,
  },
  {
    name: 'WEBrick',
    version: ['ruby', '-r', 'webrick', '-e', 'puts WEBrick::VERSION'],
    files: {
      'server.rb': `require 'webrick'
server = WEBrick::HTTPServer.new(Port: ENV['PORT'].to_i)
server.mount_proc('/') { |_, response| response.body = 'v1' }
trap('TERM') { server.shutdown }
server.start
`,
    },
    command: 'ruby server.rb',
    logs: /127\.0\.0\.1 .*GET/,
  },
  {
    name: 'Java HttpServer',
    version: ['java', '--version'],
    files: { 'Server.java': JAVA },
    command: 'java Server.java',
    logs: /from (0:0:0:0:0:ffff:)?127\.0\.0\.1/,
  },
  {
    name: 'nginx',
    version: ['sh', '-c', '/usr/sbin/nginx -v 2>&1'],
    files: { 'nginx.conf': NGINX },
    command: '/usr/sbin/nginx -p . -c nginx.conf',
    binds: 8080,
    logs: /^127\.0\.0\.1 .*GET/m,
  },
  {
    name: 'redis-server',
    version: ['redis-server', '--version'],
    files: {},
    // Where it binds :: too, it sees clients of 127.0.0.1 as ::ffff:127.0.0.1, and its protected mode refuses those.
    command: `redis-server --bind 127.0.0.1 --port $PORT --save '' --daemonize no`,
    ask: (port, host) => dialogue(port, host, 'PING\r\n', 'PONG'),
    expects: 'PONG',
    notes: 'with --bind 127.0.0.1, for its protected mode',
  },
  {
    name: 'PostgreSQL',
    version: [`${POSTGRES()}/postgres`, '--version'],
    files: {},
    prepare: createDatabase,
    // Its unix socket is not wanted; SIGINT is its fast shutdown, SIGTERM waits for every client to go.
    command: `${POSTGRES()}/postgres -D data -p $PORT -c unix_socket_directories=''`,
    service: { stop: { signal: 'SIGINT' } },
    swap: 'exclusive',
    user: 'postgres',
    ask: askPostgres,
    expects: 'server_version',
    notes: 'its first clients are told to come again (57P03)',
  },
])
