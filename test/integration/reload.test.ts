/** `reload`: servers that replace their own workers at a signal are sent it, and are seen to keep their socket. */
import { expect, test } from 'vitest'
import { Rig } from '../rig/rig.ts'

const WSGI = (text: string): string => `def app(environ, start):
    start('200 OK', [('Content-Length', '${text.length}')])
    return [b'${text}']
`

const NGINX = (text: string): string => `daemon off;
error_log stderr;
pid nginx.pid;
worker_processes 2;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 8080;
    return 200 ${text};
  }
}
`

const SERVERS = [
  {
    name: 'gunicorn',
    file: 'app.py',
    source: WSGI,
    service: { command: '/usr/bin/gunicorn -w 2 -b 127.0.0.1:$PORT app:app' },
    signal: 'SIGHUP',
    binds: undefined,
  },
  {
    name: 'puma, a cluster',
    file: 'config.ru',
    // Its worker, when it stops, closes what it has accepted and not heard from (can_close? in its client.rb), with
    // devsock or without. So it accepts nobody before there is a request: what is refused or lost then is not puma's.
    source: (text: string) => `require 'socket'
listeners = ObjectSpace.each_object(TCPServer).reject(&:closed?)
listeners.each { |each| each.setsockopt(:TCP, Socket::TCP_DEFER_ACCEPT, 1) }
run ->(env) { [200, {}, ["${text}"]] }`,
    service: { command: 'puma -q -w 2 -p $PORT' },
    signal: 'SIGUSR1',
    binds: undefined,
  },
  {
    name: 'nginx',
    file: 'nginx.conf',
    source: NGINX,
    service: { command: '/usr/sbin/nginx -p . -c nginx.conf' },
    signal: 'SIGHUP',
    binds: 8080,
  },
]

test.each(SERVERS)(
  '$name is sent $signal under load: nothing is refused, its master stays, new content is served',
  async ({ file, source, service, signal, binds }) => {
    await using rig = await Rig.create({ files: { [file]: source('v1') } })
    const port = await rig.port()
    const listen = binds === undefined ? port : { address: port, binds }
    await rig.configure({ api: { ...service, listen, watch: [file], reload: signal } })
    await rig.up()
    expect((await rig.request(port)).body).toBe('v1')
    const { pid } = await rig.until('api', 'ready')
    const load = rig.load({ port, rate: 50 })
    for (const save of [2, 3]) {
      await rig.write({ [file]: source(`v${save}`) })
      expect(await rig.succeed('wait', 'api')).toMatchObject({ stdout: expect.stringContaining(file) })
      await rig.eventually(async () => (await rig.request(port)).body === `v${save}`)
    }
    const { ok, sent, failures } = await load.stop()
    expect({ ok, failures }).toEqual({ ok: sent, failures: [] })
    expect(await rig.service('api')).toMatchObject({
      state: 'ready',
      generation: 1,
      pid,
      swaps: 2,
      crashes: 0,
      lastSwap: { from: 1, to: 1, cause: file, policy: 'reload', cut: 0 },
    })
  },
)

test('a server that the signal ends is swapped instead, and devsock says so', async () => {
  const source = (text: string): string =>
    `require('http').createServer((_, response) => response.end('${text}')).listen(process.env.PORT)`
  await using rig = await Rig.create({ files: { 'server.js': source('v1') } })
  const port = await rig.port()
  await rig.configure({
    api: { command: 'node server.js', listen: port, watch: ['server.js'], reload: 'SIGHUP' },
  })
  const up = rig.start('up', '--json')
  await rig.eventually(() => up.stdout.includes('"type":"snapshot"'))
  await rig.request(port)
  await rig.until('api', 'ready')
  const load = rig.load({ port, rate: 20 })
  await rig.write({ 'server.js': source('v2') })
  await rig.succeed('wait', 'api')
  expect((await rig.request(port)).body).toBe('v2')
  expect((await load.stop()).refused).toBe(0)
  expect(await rig.service('api')).toMatchObject({
    generation: 2,
    crashes: 0,
    lastSwap: { from: 1, to: 2, policy: 'hold' },
  })
  await rig.eventually(() => up.stdout.includes('SIGHUP: killed by SIGHUP; it is swapped instead'))
  up.kill('SIGINT')
})
