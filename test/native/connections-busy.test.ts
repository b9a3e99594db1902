import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Connection, connections } from '../../native/index.ts'
import { isBusy } from '../../proxy/services/kernel.ts'
import { eventually } from '../rig/eventually.ts'

/** A connection seen from the server's side, and both of its ends. */
async function pair(
  pauseOnConnect = false,
): Promise<{ client: Socket; server: Socket; look(): Connection; close(): void }> {
  const listener = createServer({ pauseOnConnect }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const client = connect(port, '127.0.0.1')
  const [server] = (await once(listener, 'connection')) as [Socket]
  const look = (): Connection => {
    const row = connections({ localPort: port, states: 'connected' }).find(({ inode }) => inode !== 0)
    if (!row) throw new Error('the connection is not listed')
    return row
  }
  const close = (): void => {
    client.destroy()
    server.destroy()
    listener.close()
  }
  return { client, server, look, close }
}

test('a connection is busy from its request to its answer, and only then', async () => {
  const { client, server, look, close } = await pair()
  try {
    expect(isBusy(look()), 'a request may be on its way').toBe(true)
    await eventually(() => !isBusy(look()), { what: 'a silent connection to count as idle' })
    client.write('a request in the same tick as the handshake')
    await once(server, 'data')
    expect(look()).toMatchObject({ segmentsReceived: 1, segmentsSent: 0 })
    expect(isBusy(look()), 'the first request is not answered').toBe(true)
    await delay(20)
    server.write('the answer')
    await once(client, 'data')
    await delay(20)
    expect(isBusy(look()), 'answered').toBe(false)
    client.write('the next request')
    await once(server, 'data')
    expect(isBusy(look()), 'the next one is not').toBe(true)
  } finally {
    close()
  }
})

test('what was not read yet is busy', async () => {
  const { client, look, close } = await pair(true)
  try {
    client.write('unread')
    while (look().receiveQueue === 0) await delay(1)
    expect(isBusy(look())).toBe(true)
  } finally {
    close()
  }
})
