import { useEffect, useState } from 'react'
import type { LogLine } from '../../proxy/protocol.ts'
import { LogText } from '../log/row.tsx'
import { useStore } from '../store.ts'

/** As many as say why; the log has the rest. */
const COUNT = 6

/** The last words of a generation that ended: they mostly say why. */
export function LastLines(props: { service: string; generation: number; isOpen: boolean }) {
  const { service, generation } = props
  const { api } = useStore()
  const [isOpen, setOpen] = useState(props.isOpen)
  const [lines, setLines] = useState<LogLine[]>([])
  useEffect(() => {
    if (!isOpen) return
    let isOver = false
    void api.lastLines(service, generation, COUNT).then((found) => {
      if (!isOver) setLines(found)
    })
    return () => {
      isOver = true
    }
  }, [api, service, generation, isOpen])
  return (
    <details
      className="last-lines"
      open={isOpen}
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary>last lines</summary>
      {lines.length === 0 ? (
        <p className="soft">It printed nothing.</p>
      ) : (
        <ol>
          {lines.map(({ offset, text }) => (
            <li key={offset}>
              <LogText text={text} matcher={null} />
            </li>
          ))}
        </ol>
      )}
    </details>
  )
}
