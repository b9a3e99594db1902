/** A port that somebody else has, and a person at a terminal who is asked. */
import { describe, expect, test, vi } from 'vitest'
import { Rig } from '../rig/rig.ts'
import { nodeServer } from '../rig/servers.ts'
import { Tmux } from '../rig/tmux.ts'

vi.setConfig({ testTimeout: 180_000 })

const COMMAND = ['node', 'server.mjs']
const SQUATTER = `import { createServer } from 'node:http'
createServer((_, response) => response.end('theirs')).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))`

async function taken() {
  const rig = await Rig.create({ files: { 'server.mjs': nodeServer(), 'squatter.mjs': SQUATTER } })
  const port = await rig.port()
  await rig.configure({ api: { command: COMMAND, listen: port } })
  const squatter = rig.spawn(['node', 'squatter.mjs', `${port}`])
  await rig.eventually(() => squatter.stdout.includes('listening'), { what: 'the squatter' })
  return { rig, port, squatter }
}

async function asked() {
  const { rig, port, squatter } = await taken()
  const tmux = await Tmux.start(rig, rig.argv('up'))
  const screen = await tmux.shows('[k]ill  [o]ther port  [u]se it  [w]ait  [q]uit')
  expect(screen).toContain(`! shop/api wants localhost:${port}, taken by`)
  expect(screen).toMatch(new RegExp(`${squatter.pid} +node squatter.mjs ${port}`))
  return { rig, port, squatter, tmux }
}

describe('up shows whose it is, and asks; one key answers', () => {
  test('k ends it and takes the port', async () => {
    const { rig, port, squatter, tmux } = await asked()
    await using _ = rig
    await using __ = tmux
    await tmux.press('k')
    await tmux.shows('› api')
    await squatter.finished()
    expect((await rig.request(port)).body).not.toBe('theirs')
  })

  test('o takes another port', async () => {
    const { rig, port, squatter, tmux } = await asked()
    await using _ = rig
    await using __ = tmux
    await tmux.press('o')
    await tmux.shows('› api')
    const [socket] = (await rig.service('api')).sockets
    expect(socket?.port).not.toBe(port)
    expect((await rig.request(socket?.port ?? 0)).status).toBe(200)
    expect((await rig.request(port)).body).toBe('theirs')
    squatter.kill()
  })

  test('u uses what is there', async () => {
    const { rig, squatter, tmux } = await asked()
    await using _ = rig
    await using __ = tmux
    await tmux.press('u')
    await tmux.shows(/› api +↗ external/)
    squatter.kill()
  })

  test('w waits until it is free', async () => {
    const { rig, port, squatter, tmux } = await asked()
    await using _ = rig
    await using __ = tmux
    await tmux.press('w')
    await tmux.shows(/› api +! conflict/)
    await tmux.shows(`pid ${squatter.pid}`)
    squatter.kill()
    await squatter.finished()
    await tmux.shows(/› api +○ held/)
    expect((await rig.request(port)).body).not.toBe('theirs')
  })

  test.each(['q', 'Escape', 'C-c'])('%s leaves all as it was', async (key) => {
    const { rig, port, squatter, tmux } = await asked()
    await using _ = rig
    await using __ = tmux
    await tmux.press(key)
    const { status, screen } = await tmux.ended()
    expect(status).toBe(3)
    expect(screen).toContain(`devsock free ${port}`)
    expect((await rig.request(port)).body).toBe('theirs')
    squatter.kill()
  })
})

describe('on the screen, x asks the same', () => {
  async function waiting() {
    const { rig, port, squatter, tmux } = await asked()
    await tmux.press('w')
    await tmux.shows(/› api +! conflict/)
    await tmux.press('x')
    await tmux.shows('[k]ill  [o]ther port  [u]se it  [w]ait')
    return { rig, port, squatter, tmux }
  }

  test('k ends it and takes the port', async () => {
    const { rig, port, squatter, tmux } = await waiting()
    await using _ = rig
    await using __ = tmux
    await tmux.press('k')
    await squatter.finished()
    await tmux.shows(`api has port ${port}`)
    await tmux.shows(/› api +● ready/)
  })

  test('o takes another port', async () => {
    const { rig, squatter, tmux } = await waiting()
    await using _ = rig
    await using __ = tmux
    await tmux.press('o')
    await tmux.shows(/› api +○ held/)
    squatter.kill()
  })
})

test(':free shows whose a port is, and ends it only after yes', async () => {
  const { rig, port, squatter } = await taken()
  await using _ = rig
  await rig.configure({ api: { command: COMMAND, listen: await rig.port() } })
  await using tmux = await Tmux.start(rig, rig.argv('up'), { columns: 160 })
  await tmux.shows('› api')
  await tmux.type(`:free ${port}`)
  await tmux.press('Enter')
  await tmux.shows(new RegExp(`port ${port}: pid ${squatter.pid} .*\\[y\\]es {2}\\[n\\]o`))
  await tmux.press('n')
  await tmux.shows('? help')
  expect((await rig.request(port)).body).toBe('theirs')
  await tmux.type(`:free ${port}`)
  await tmux.press('Enter')
  await tmux.shows('[y]es')
  await tmux.press('y')
  await tmux.shows(`port ${port} is free`)
  await squatter.finished()
})
