/** Servers that are packages of the system, databases among them: they start with their first connection. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import type { Rig } from '../../rig/rig.ts'
import { asUser, dialogue, matrix } from './matrix.ts'

/** The newest that Debian installed; its programs are in no PATH. */
const postgres = (): string => {
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
  const command = [`${postgres()}/initdb`, '-D', 'data', '-U', 'postgres', '-A', 'trust', '--no-sync']
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

matrix('daemons', [
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
    version: [`${postgres()}/postgres`, '--version'],
    files: {},
    prepare: createDatabase,
    // Its unix socket is not wanted; SIGINT is its fast shutdown, SIGTERM waits for every client to go.
    command: `${postgres()}/postgres -D data -p $PORT -c unix_socket_directories=''`,
    service: { stop: { signal: 'SIGINT' } },
    swap: 'exclusive',
    user: 'postgres',
    ask: askPostgres,
    expects: 'server_version',
    notes: 'its first clients are told to come again (57P03)',
  },
])
