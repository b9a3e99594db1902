import { useEffect, useState, useSyncExternalStore } from 'react'
import type { LogLine } from '../../proxy/protocol.ts'
import type { Api } from '../api.ts'
import { useStore } from '../store.ts'
import { type Line, LogBuffer } from './buffer.ts'

/** Lines of the past that a view begins with. */
const LAST_LINES = 10_000
const RETRY_MS = 300

/** A service's log: what there is of it, and what comes, for as long as somebody looks. */
export function useLog(service: string): { buffer: LogBuffer; lines: Line[] } {
  const { api } = useStore()
  const [buffer] = useState(() => new LogBuffer())
  useEffect(() => {
    const over = new AbortController()
    void follow(api, service, buffer, over.signal)
    return () => over.abort()
  }, [api, service, buffer])
  return { buffer, lines: useSyncExternalStore(buffer.subscribe, buffer.read) }
}

/** A stream that ends (the daemon was killed) is begun again from the files, which have everything. */
async function follow(api: Api, service: string, buffer: LogBuffer, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      let isFirst = true
      for await (const lines of api.logLines<LogLine>(service, LAST_LINES, signal)) {
        if (isFirst) buffer.reset()
        isFirst = false
        buffer.append(lines)
      }
    } catch (error) {
      // TypeError: the network's; AbortError: ours.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}
