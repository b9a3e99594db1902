import { expect, test } from 'vitest'
import { Hub } from '../../proxy/control/hub.ts'
import type { DaemonStatus, DevsockEvent, Subscription } from '../../proxy/protocol.ts'

function hub() {
  const events = new Hub(
    () => ({ daemon: {} as DaemonStatus, projects: [], edges: [], wakes: [] }),
    () => {},
  )
  const listen = (logs: Subscription['logs']): DevsockEvent[] => {
    const heard: DevsockEvent[] = []
    events.subscribe({ wants: { projects: [], logs, lease: null }, tell: (event) => void heard.push(event) })
    return heard
  }
  return { events, listen }
}

test('lines go to a screen as a batch, to others one by one, and to nobody who did not ask', () => {
  const { events, listen } = hub()
  const [all, screen, none] = [listen(true), listen('screen'), listen(false)]
  const about = { project: 'shop', service: 'api', generation: 1 }
  events.publish({ type: 'logs', ...about, first: 0, last: 2, lines: ['a', 'b'], passed: 0 })
  expect(all.slice(1)).toMatchObject([
    { type: 'log', text: 'a', ...about },
    { type: 'log', text: 'b', ...about },
  ])
  expect(screen.slice(1)).toMatchObject([{ type: 'logs', lines: ['a', 'b'], ...about }])
  expect(none).toHaveLength(1)
  const seqs = all.map(({ seq }) => seq)
  events.publish({ type: 'logs', ...about, first: 4, last: 4, lines: ['c'], passed: 0 })
  expect(all.at(-1)?.seq).toBe((seqs.at(-1) ?? 0) + 1)
})

test('as much is heard of logs as the most demanding listener wants', () => {
  const { events, listen } = hub()
  expect(events.hearing).toBe(false)
  listen(false)
  listen('screen')
  expect(events.hearing).toBe('screen')
  listen(true)
  expect(events.hearing).toBe(true)
})
