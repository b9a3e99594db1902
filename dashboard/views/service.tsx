import type { ReactNode } from 'react'
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { useKeys } from '../keys.ts'
import { LogView } from '../log/log-view.tsx'
import { findService } from '../model/model.ts'
import { bytes, projectOf } from '../model/words.ts'
import { IdleCountdown } from '../parts/idle-countdown.tsx'
import { ServiceActions } from '../parts/service-actions.tsx'
import { SocketLinks } from '../parts/socket-links.tsx'
import { Sparkline } from '../parts/sparkline.tsx'
import { StateMark } from '../parts/state-mark.tsx'
import { Timeline } from '../parts/timeline.tsx'
import { useServiceKeys } from '../parts/use-service-keys.ts'
import { useModel } from '../store.ts'

/** One service: what it does, what happened to it, what it prints. */
export function ServiceView({ id }: { id: string }) {
  const model = useModel()
  const service = findService(model, id)
  useServiceKeys(() => id)
  useKeys({ Escape: () => location.assign('#/') })
  if (service === null) return <Unknown id={id} />
  const { reason, state } = service
  return (
    <div className="service">
      <header>
        <p className="crumbs">
          <a href="#/">{projectOf(id)}</a> /
        </p>
        <h2>{service.name}</h2>
        <StateMark state={state} />
        <ServiceActions service={service} />
      </header>
      <div className={`why why-${state}`}>
        <p>{reason.message}</p>
        {reason.hint && <p className="soft">{reason.hint}</p>}
      </div>
      <Facts service={service} />
      <Timeline service={id} entries={model.history[id] ?? []} wakes={model.wakes} />
      {/* With another holder the project was down meanwhile: its generations count from 1 again. */}
      <LogView key={model.daemon?.holderPid} service={id} />
    </div>
  )
}

function Facts({ service }: { service: ServiceStatus }) {
  const { generation, pid, handover, sockets, memory, cpu, activations, swaps, crashes } = service
  const counts = sockets.map(({ queued, open }) => `${queued} queued · ${open} open`).join(', ')
  return (
    <dl className="facts">
      <Fact name="address">
        <SocketLinks sockets={sockets} />
      </Fact>
      <Fact name="connections">
        {counts || '-'}
        <IdleCountdown at={service.idleAt} />
      </Fact>
      <Fact name="generation">{generation || '-'}</Fact>
      <Fact name="pid">{pid ?? '-'}</Fact>
      <Fact name="handover">{handover ?? '-'}</Fact>
      <Fact name="activations">{activations}</Fact>
      <Fact name="swaps">{swaps}</Fact>
      <Fact name="crashes">{crashes}</Fact>
      <Fact name="memory">{memory === null ? '-' : bytes(memory)}</Fact>
      <Fact name="processor">{cpu === null ? '-' : `${cpu} %`}</Fact>
      <Fact name="last minute">{memory === null ? '-' : <Sparkline service={service} />}</Fact>
    </dl>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="tabular">{children}</dd>
    </div>
  )
}

function Unknown({ id }: { id: string }) {
  return (
    <section className="empty-page">
      <h2>{id} is not up</h2>
      <p>
        Bring it up with <code>devsock up</code>, or go back to the <a href="#/">overview</a>.
      </p>
    </section>
  )
}
