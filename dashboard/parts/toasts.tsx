import { useEffect } from 'react'
import type { Notice } from '../model/model.ts'
import { useModel, useStore } from '../store.ts'

const SHOWN_MS = 6_000

/** What came of the last things that were asked for here. */
export function Toasts() {
  const { notices } = useModel()
  const own = notices.filter(({ isOwn }) => isOwn).slice(-3)
  return (
    <div className="toasts" aria-live="polite">
      {own.map((notice) => (
        <Toast key={notice.key} notice={notice} />
      ))}
    </div>
  )
}

function Toast({ notice: { key, level, message, hint } }: { notice: Notice }) {
  const store = useStore()
  useEffect(() => {
    // A failure stays until it was read.
    if (level === 'error') return
    const timer = setTimeout(() => store.dismiss(key), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [store, key, level])
  return (
    <div className={`toast toast-${level}`} role={level === 'error' ? 'alert' : 'status'}>
      <div>
        <p>{message}</p>
        {hint && <p className="soft">{hint}</p>}
      </div>
      <button type="button" className="quiet" aria-label="dismiss" onClick={() => store.dismiss(key)}>
        ×
      </button>
    </div>
  )
}
