import { memo } from 'react'
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { bytes, duration, receiptText } from '../model/words.ts'
import { ownerText } from './owner-text.ts'
import { ServiceActions } from './service-actions.tsx'
import { SocketLinks } from './socket-links.tsx'
import { Sparkline } from './sparkline.tsx'
import { StateMark } from './state-mark.tsx'
import { conflictOf } from './use-actions.ts'

/** A service on the overview: what it does and why, where, and what can be done. */
export const ServiceCard = memo(function ServiceCard({
  service,
  href,
}: {
  service: ServiceStatus
  href: string
}) {
  const { name, state, reason, sockets, memory, cpu } = service
  const owner = conflictOf(service)?.owner
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
        <p className="reason">{reason.message}</p>
      </div>
      <div className="card-where">
        <SocketLinks sockets={sockets} />
        <p className="soft tabular">
          <span className={queued > 0 ? 'queued' : ''}>{queued} queued</span> · {open} open
        </p>
      </div>
      <div className="card-run">
        <p className="tabular">{runText(service)}</p>
        <p className="soft" title={service.lastSwap ? receiptText(service.lastSwap) : undefined}>
          {service.lastSwap
            ? `swap ${duration(service.lastSwap.ms)}, ${service.lastSwap.cut} cut`
            : (service.handover ?? '')}
        </p>
      </div>
      <div className="card-usage">
        <Sparkline service={service} />
        <p className="soft tabular">{memory === null ? '' : `${bytes(memory)} · ${cpu ?? 0} %`}</p>
      </div>
      <ServiceActions service={service} />
      {(reason.hint || owner) && (state === 'failed' || state === 'conflict') && (
        <p className="card-hint">
          {owner ? `${ownerText(owner)} has it.` : ''} {reason.hint}
        </p>
      )}
    </article>
  )
})

function runText({ generation, pid }: ServiceStatus): string {
  if (generation === 0) return 'never ran'
  return pid === null ? `generation ${generation}` : `generation ${generation} · pid ${pid}`
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)
