import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from 'react'
import type { Failure } from '../../proxy/protocol.ts'
import type { FreePlan } from '../api.ts'
import { useStore } from '../store.ts'

const Freeing = createContext<(port: number) => void>(() => undefined)

/** Asks before it frees a port; one question at a time for the whole page. */
export const useFreeing = (): ((port: number) => void) => useContext(Freeing)

export function FreeingProvider({ children }: { children: ReactNode }) {
  const [port, setPort] = useState<number | null>(null)
  return (
    <Freeing value={setPort}>
      {children}
      {port !== null && <FreeDialog port={port} onClose={() => setPort(null)} />}
    </Freeing>
  )
}

/** Whose the port is, and whether to end that. */
function FreeDialog({ port, onClose }: { port: number; onClose(): void }) {
  const store = useStore()
  const dialog = useRef<HTMLDialogElement>(null)
  const [plan, setPlan] = useState<FreePlan | Failure | null>(null)
  const [isEnding, setEnding] = useState(false)

  useEffect(() => {
    dialog.current?.showModal()
    let isOver = false
    void store.api.freePlan(port).then((found) => {
      if (!isOver) setPlan(found.ok ? found.value : found.failure)
    })
    return () => {
      isOver = true
    }
  }, [store, port])

  // By the dialog itself: it gives the focus back to where it was.
  const close = (): void => dialog.current?.close()
  const free = async (): Promise<void> => {
    setEnding(true)
    const freed = await store.api.free(port)
    if (freed.ok) store.say('info', `port ${port} is free: ${ended(freed.value.ended.map(({ pid }) => pid))}`)
    else store.sayFailure(freed.failure)
    close()
  }
  const refused =
    plan && 'owners' in plan ? plan.owners?.some((owner) => 'refused' in owner && owner.refused) : true

  return (
    <dialog ref={dialog} aria-labelledby="free-title" onClose={onClose}>
      <h2 id="free-title">Free port {port}?</h2>
      <div className="plan">
        {plan === null ? <p className="soft">Looking who has it…</p> : <Plan plan={plan} />}
      </div>
      <div className="dialog-actions">
        {/* biome-ignore lint/a11y/noAutofocus: in a question the harmless answer is the near one */}
        <button type="button" autoFocus onClick={close}>
          Cancel
        </button>
        <button
          type="button"
          className="danger"
          disabled={refused || isEnding}
          aria-busy={isEnding}
          onClick={() => void free()}
        >
          {isEnding ? 'Ending…' : 'End it and free the port'}
        </button>
      </div>
    </dialog>
  )
}

function Plan({ plan }: { plan: FreePlan | Failure }) {
  if ('message' in plan) return <p>{[plan.message, plan.hint].filter(Boolean).join(' · ')}</p>
  if (plan.owners.length === 0) return <p>Nobody listens there any more.</p>
  return (
    <ul className="owners">
      {plan.owners.map((owner) => (
        <li key={owner.pid}>
          <code className="command">{owner.command || 'a process that may not be looked into'}</code>
          <dl>
            <dt>pid</dt>
            <dd>{owner.pid || '-'}</dd>
            <dt>user</dt>
            <dd>{owner.user}</dd>
            <dt>folder</dt>
            <dd>{owner.cwd ?? '-'}</dd>
          </dl>
          {owner.refused && <p className="refused">{owner.refused}</p>}
        </li>
      ))}
    </ul>
  )
}

const ended = (pids: number[]): string =>
  pids.length === 0 ? 'nobody listened there any more' : `ended pid ${pids.join(', ')}`
