import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { matrix, type Server } from './matrix.ts'

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

/** What `go run` compiles with: the packages that inGo() has compiled already. */
const GOCACHE = execFileSync('go', ['env', 'GOCACHE'], { encoding: 'utf8' }).trim()

const AS_INET6: Partial<Server> = { logs: undefined, notes: 'an AF_INET program sees AF_INET6 peers' }

matrix('others', [
  { ...inC('C, blocking, static', false, '-static'), ...AS_INET6 },
  { ...inC('C, a thread a connection, static', true, '-static'), ...AS_INET6 },
  inGo('Go, static', '0'),
  inGo('Go, dynamic', '1', '-ldflags=-linkmode=external'),
  {
    ...inGo('go run', '0'),
    command: 'go run server.go',
    service: { env: { GOCACHE, CGO_ENABLED: '0' } },
  },
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
    name: 'plackup',
    version: ['perl', '-MPlack', '-e', 'print Plack->VERSION'],
    files: { 'app.psgi': 'sub { print STDERR "from $_[0]{REMOTE_ADDR}\\n"; [200, [], ["v1"]] }' },
    command: 'plackup -p $PORT app.psgi',
    logs: /from 127\.0\.0\.1/,
  },
  {
    name: 'Java HttpServer',
    version: ['java', '--version'],
    files: { 'Server.java': JAVA },
    command: 'java Server.java',
    logs: /from (0:0:0:0:0:ffff:)?127\.0\.0\.1/,
  },
])
