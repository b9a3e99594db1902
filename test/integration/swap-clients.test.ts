/** Real clients, whose connections are their own business, of a Node server that is saved while they ask. */
import { execFileSync } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { launchBrowser } from '../rig/browser.ts'
import { ClientProgram } from '../rig/client-program.ts'
import { CHECKOUT, Rig } from '../rig/rig.ts'
import { bump, nodeServer } from '../rig/servers.ts'

const SAVES = 6
/** What a client asks for in turn: at once, and after 150 ms. */
const PATHS = ['/', '/slow']

interface Client {
  name: string
  files?: Record<string, string>
  argv: (port: number) => string[]
  prepare?: (rig: Rig) => void
}

const PYTHON = `import os, sys, threading, requests
session = requests.Session()
session.mount('http://', requests.adapters.HTTPAdapter(pool_maxsize=4))
def ask(worker):
    while os.path.exists('going'):
        for path in ${JSON.stringify(PATHS)}:
            try: body = session.get(sys.argv[1] + path, timeout=20).text
            except Exception as error: body = '! ' + repr(error)
            os.write(1, f'{worker} {body}\\n'.encode())
for worker in range(4): threading.Thread(target=ask, args=(worker,)).start()
`

const GO = `package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

func main() {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	var all sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		all.Add(1)
		go func(worker int) {
			defer all.Done()
			for {
				for _, path := range []string{"${PATHS.join('", "')}"} {
					fmt.Println(worker, get(client, os.Args[1]+path))
				}
				if _, err := os.Stat("going"); err != nil {
					return
				}
			}
		}(worker)
	}
	all.Wait()
}

func get(client *http.Client, url string) string {
	response, err := client.Get(url)
	if err != nil {
		return "! " + err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "! " + err.Error()
	}
	return string(body)
}
`

const FETCH = `import { existsSync, writeSync } from 'node:fs'
async function ask(worker) {
  while (existsSync('going')) {
    for (const path of ${JSON.stringify(PATHS)}) {
      const body = await fetch(process.argv[2] + path).then((response) => response.text()).catch((error) => '! ' + error.cause)
      writeSync(1, worker + ' ' + body + '\\n')
    }
  }
}
for (let worker = 0; worker < 4; worker++) ask(worker)
`

const url = (port: number) => `http://localhost:${port}`

const CLIENTS: readonly Client[] = [
  {
    name: 'curl, a connection each',
    argv: (port) => [
      'sh',
      '-c',
      `while [ -e going ]; do for path in ${PATHS.join(' ')}; do
         echo "0 $(curl -sS --max-time 20 ${url(port)}$path 2>&1 || echo ' !')"
       done; done`,
    ],
  },
  {
    // As many URLs as one command has, over one connection; the shell looks whether to go on.
    name: 'curl, which reuses its connection',
    argv: (port) => [
      'sh',
      '-c',
      `while [ -e going ]; do
         curl -sSN --rate 40/s --max-time 20 -w '\\n' "${url(port)}/?[1-100]" 2>&1 | sed -u 's/^/0 /'
       done`,
    ],
  },
  { name: 'fetch', files: { 'fetch.mjs': FETCH }, argv: (port) => ['node', 'fetch.mjs', url(port)] },
  {
    name: "Python's requests, with a pool",
    files: { 'ask.py': PYTHON },
    argv: (port) => ['/usr/bin/python3', 'ask.py', url(port)],
  },
  {
    name: "Go's net/http, with a pool",
    files: { 'ask.go': GO },
    argv: (port) => ['./ask', url(port)],
    prepare: ({ dir }) => void execFileSync('go', ['build', '-o', 'ask', 'ask.go'], { cwd: dir }),
  },
]

test.each(CLIENTS)(
  '$name: every request is answered, and none that is sent after a swap by old code',
  async ({ files, argv, prepare }) => {
    await using rig = await Rig.create({ files: { 'api.mjs': nodeServer(), ...files } })
    prepare?.(rig)
    const port = await rig.port()
    await rig.configure({ api: { command: ['node', 'api.mjs'], listen: port, watch: ['*.mjs'] } })
    await rig.up()
    const client = await ClientProgram.start(rig, argv(port))
    const stale: string[] = []
    let [before, version] = [new Map<string, string[]>(), 1]
    /** From the second answer on, each was asked for after the swap: one may have been on its way. */
    const collectStale = () => {
      for (const [worker, got] of client.answers) {
        const since = got.slice((before.get(worker)?.length ?? 0) + 1)
        stale.push(
          ...since.filter((body) => body !== `v${version}`).map((body) => `${body}, not v${version}`),
        )
      }
    }
    await client.progress(4)
    for (let save = 2; save <= SAVES; save += 1) {
      collectStale()
      await rig.edit('api.mjs', bump, save % 2 ? 'atomic' : 'truncate')
      await rig.succeed('wait', 'api')
      ;[before, version] = [await client.soFar(), save]
      await client.progress(4)
    }
    collectStale()
    await client.stop()
    expect(stale).toEqual([])
    const bodies = [...client.answers.values()].flat()
    expect(bodies.filter((body) => !/^v\d+$/.test(body))).toEqual([])
    expect(new Set(bodies).size).toBe(SAVES)
    expect(await rig.service('api')).toMatchObject({ swaps: SAVES - 1, crashes: 0, lastSwap: { cut: 0 } })
  },
)

const PAGE = `<!doctype html><title>page</title><output></output><script>
const closed = []
function connect() {
  const socket = new WebSocket('ws://' + location.host)
  socket.onmessage = ({ data }) => { document.querySelector('output').textContent = data }
  socket.onclose = ({ code }) => { closed.push(code); connect() }
}
connect()
</script>`

test('a page with a WebSocket is told of each swap by 1012, connects again, and sees what was saved', async () => {
  const server = `import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
const version = 'v1'
const server = createServer((request, response) => response.end(${JSON.stringify(PAGE)}))
new WebSocketServer({ server }).on('connection', (socket) => socket.send(version))
server.listen({ fd: 3 })
`
  await using rig = await Rig.create({ files: { 'web.mjs': server } })
  await symlink(join(CHECKOUT, 'node_modules'), join(rig.dir, 'node_modules'))
  const port = await rig.port()
  await rig.configure({ web: { command: ['node', 'web.mjs'], listen: port, watch: ['web.mjs'] } })
  await rig.up()
  const browser = await launchBrowser()
  try {
    const page = await browser.newPage()
    await page.goto(url(port))
    for (let save = 1; save <= SAVES; save += 1) {
      if (save > 1) await rig.edit('web.mjs', (text) => text.replace(/'v\d+'/, `'v${save}'`))
      await page.getByText(`v${save}`, { exact: true }).waitFor({ timeout: 10_000 })
    }
    expect(await page.evaluate('closed')).toEqual(Array(SAVES - 1).fill(1012))
    expect(await rig.service('web')).toMatchObject({ swaps: SAVES - 1, lastSwap: { cut: 0 } })
  } finally {
    await browser.close()
  }
})
