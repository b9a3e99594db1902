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

const LIGHTTPD = `server.port = 8080
server.document-root = env.PWD
index-file.names = ( "index.html" )
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
    name: 'Caddy',
    version: ['caddy', 'version'],
    files: { 'index.html': 'v1' },
    command: 'caddy file-server --listen :$PORT --access-log',
    logs: /"remote_ip":"127\.0\.0\.1"/,
  },
  {
    name: 'lighttpd',
    version: ['/usr/sbin/lighttpd', '-v'],
    files: { 'lighttpd.conf': LIGHTTPD, 'index.html': 'v1' },
    command: '/usr/sbin/lighttpd -D -f lighttpd.conf',
    binds: 8080,
  },
  {
    name: 'busybox httpd',
    version: ['sh', '-c', 'busybox | head -n 1'],
    files: { 'index.html': 'v1' },
    command: 'busybox httpd -f -p $PORT',
    notes: 'static',
  },
  {
    name: 'redis-server',
    version: ['redis-server', '--version'],
    files: {},
    // It binds 0.0.0.0 and ::, and its protected mode answers 127.0.0.1 and ::1 only.
    command: `redis-server --port $PORT --save '' --daemonize no`,
    ask: (port, host) => dialogue(port, host, 'PING\r\n', 'PONG'),
    expects: 'PONG',
  },
  {
    name: 'memcached',
    version: ['memcached', '--version'],
    files: {},
    // As root it wants to be told as whom it runs.
    command: 'memcached -u root -p $PORT',
    ask: (port, host) => dialogue(port, host, 'version\r\n', 'VERSION'),
    expects: 'VERSION',
  },
  {
    name: 'mosquitto',
    version: ['sh', '-c', 'mosquitto -h | head -n 1'],
    files: { 'mosquitto.conf': 'user root\nlistener 1883\nallow_anonymous true\n' },
    command: 'mosquitto -c mosquitto.conf',
    binds: 1883,
    // CONNECT of MQTT 3.1.1, without a name; CONNACK begins with 0x20 0x02.
    ask: (port, host) => dialogue(port, host, Buffer.from('100c00044d5154540402003c0000', 'hex'), ' \x02'),
    expects: ' \x02',
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
