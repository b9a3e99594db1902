import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import type { LogLine } from '../../proxy/protocol.ts'
import type { Api } from '../api.ts'
import { onNextFrame } from '../frame.ts'
import { useStore } from '../store.ts'
import { type Line, LogBuffer, MOST_LINES } from './buffer.ts'

/** Lines of the past that a view begins with. */
const LAST_LINES = 10_000
const RETRY_MS = 300

export interface Log {
  buffer: LogBuffer
  lines: Line[]
  /** There may be more in the files than what was asked for. */
  hasEarlier: boolean
  loadEarlier(): void
}

/** A service's log: what there is of it, and what comes, for as long as somebody looks. */
export function useLog(service: string): Log {
  const { api } = useStore()
  const [last, setLast] = useState(LAST_LINES)
  const [buffer, setBuffer] = useState(() => new LogBuffer())
  useEffect(() => {
    const over = new AbortController()
    void follow(api, service, last, buffer, over.signal)
    return () => over.abort()
  }, [api, service, last, buffer])
  const loadEarlier = useCallback((): void => {
    setLast(MOST_LINES)
    setBuffer(new LogBuffer())
  }, [])
  const lines = useSyncExternalStore(buffer.subscribe, buffer.read)
  return { buffer, lines, hasEarlier: last < MOST_LINES && buffer.size >= last, loadEarlier }
}

/** A stream that ends (the daemon was killed) is begun again from the files, which have everything. */
async function follow(
  api: Api,
  service: string,
  last: number,
  buffer: LogBuffer,
  signal: AbortSignal,
): Promise<void> {
  let batch: LogLine[] = []
  // However many parts come, the page is changed once a frame.
  const flush = (): void => {
    const lines = batch
    batch = []
    if (!signal.aborted) buffer.append(lines)
  }
  while (!signal.aborted) {
    try {
      for await (const lines of api.logLines<LogLine>(service, last, signal)) {
        if (batch.length === 0) onNextFrame(flush)
        batch = batch.length === 0 ? lines : batch.concat(lines)
      }
    } catch (error) {
      // TypeError: the network's; AbortError: ours.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}
