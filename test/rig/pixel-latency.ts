import type { DashboardPage } from './browser.ts'
import type { Rig } from './rig.ts'

interface Watching {
  latencies: number[]
}

/**
 * Milliseconds from an event, as the daemon stamped it, to the first frame after the page had changed, of so many
 * restarts of a service that is ready: one machine, one clock.
 */
export async function pixelLatencies(
  { page }: DashboardPage,
  rig: Rig,
  service: string,
  count: number,
): Promise<number[]> {
  // A second listener in the page knows when an event happened.
  await page.evaluate(() => {
    const latencies: number[] = []
    Object.assign(window, { latencies })
    let at = 0
    new MutationObserver(() => {
      if (at === 0) return
      const happened = at
      at = 0
      requestAnimationFrame(() => setTimeout(() => latencies.push(Date.now() - happened)))
    }).observe(document.body, { subtree: true, childList: true, characterData: true })
    const socket = new WebSocket(`ws://${location.host}/v1/events`)
    const token = sessionStorage.getItem('devsock-token')
    socket.onopen = () => socket.send(JSON.stringify({ token, projects: [], logs: false, lease: null }))
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data)
      if (event.type === 'service' && event.status.state === 'ready') at = Date.parse(event.at)
    }
  })
  const seen = (): Promise<number[]> => page.evaluate(() => (window as unknown as Watching).latencies)
  for (let swap = 1; swap <= count; swap += 1) {
    await rig.succeed('restart', service)
    await rig.eventually(async () => (await seen()).length >= swap, { what: 'a frame after a swap' })
  }
  return seen()
}
