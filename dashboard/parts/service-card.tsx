import { memo } from 'react'
import type { ServiceStatus, SwapReceipt } from '../../proxy/protocol.ts'
import { bytes, duration, receiptText } from '../model/words.ts'
import { IdleCountdown } from './idle-countdown.tsx'
import { ServiceActions } from './service-actions.tsx'
import { SocketLinks } from './socket-links.tsx'
import { Sparkline } from './sparkline.tsx'
import { StateMark } from './state-mark.tsx'

/** A service on the overview: what it does and why, where, and what can be done. */
export const ServiceCard = memo(function ServiceCard({
  service,
  href,
}: {
  service: ServiceStatus
  href: string
}) {
  const { name, state, reason, sockets, generation, pid, handover, lastSwap, memory, cpu } = service
  const [queued, open] = [
    sum(sockets.map((socket) => socket.queued)),
    sum(sockets.map((socket) => socket.open)),
  ]
  return (
    <article className={`card card-${state}`} aria-label={`${name}, ${state}`}>
      <div className="card-what">
        <h3>
          <a href={href}>{name}</a>
        </h3>
        <StateMark state={state} />
        <p className="reason">
          {reason.message}
          <IdleCountdown at={service.idleAt} />
        </p>
      </div>
      <div className="card-where">
        <SocketLinks sockets={sockets} />
        <p className="soft tabular" hidden={sockets.length === 0}>
          <span className={queued > 0 ? 'queued' : ''}>{queued} queued</span> · {open} open
        </p>
      </div>
      <div className="card-run tabular">
        <p>
          {[generation === 0 ? 'never ran' : `generation ${generation}`, handover, pid && `pid ${pid}`]
            .filter(Boolean)
            .join(' · ')}
        </p>
        <p className="soft" title={lastSwap ? `last swap: ${receiptText(lastSwap)}` : undefined}>
          {lastSwap && swapText(lastSwap)}
        </p>
      </div>
      <div className={memory === null ? 'card-usage idle' : 'card-usage'}>
        <Sparkline service={service} />
        <p className="soft tabular">{memory === null ? '' : `${bytes(memory)} · ${cpu ?? 0} %`}</p>
      </div>
      <ServiceActions service={service} />
      {reason.hint && (state === 'failed' || state === 'conflict') && (
        <p className="card-hint">{reason.hint}</p>
      )}
    </article>
  )
})

const swapText = ({ ms, queued, moved, cut }: SwapReceipt): string =>
  `swap ${duration(ms)} · ${queued} queued · ${moved} moved · ${cut} cut`

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)
