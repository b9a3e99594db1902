import { useKeys } from '../keys.ts'
import { findService } from '../model/model.ts'
import { useModel, useStore } from '../store.ts'
import { useFreeing } from './free-dialog.tsx'
import { actionsOf, conflictOf } from './use-actions.ts'

/** The keys that do something to a service; `chosen` says to which. */
export function useServiceKeys(chosen: () => string | null): void {
  const model = useModel()
  const store = useStore()
  const free = useFreeing()
  const service = () => {
    const id = chosen()
    return id === null ? null : findService(model, id)
  }
  const perform =
    (...labels: string[]) =>
    (): void => {
      const one = service()
      const action = one && actionsOf(one).find(({ label }) => labels.includes(label))
      if (!one || !action) return
      void store.api.verb(one.id, action.verb).then((result) => {
        if (!result.ok) store.sayFailure(result.failure)
      })
    }
  useKeys({
    s: perform('Start', 'Stop'),
    r: perform('Restart'),
    z: perform('Sleep'),
    o: () => {
      const url = service()?.sockets.find((socket) => socket.url !== null)?.url
      if (url) window.open(url, '_blank', 'noopener,noreferrer')
    },
    f: () => {
      const one = service()
      const port = one && conflictOf(one)?.port
      if (port) free(port)
    },
  })
}
