import { useRef } from 'react'
import type { ProjectStatus, ServiceStatus } from '../../proxy/protocol.ts'
import { useKeys } from '../keys.ts'
import { ProblemList } from '../parts/problem-list.tsx'
import { ServiceCard } from '../parts/service-card.tsx'
import { useServiceKeys } from '../parts/use-service-keys.ts'
import { serviceHref } from '../route.ts'
import { useModel } from '../store.ts'

/** Every project and what its services do. */
export function Overview() {
  const { projects } = useModel()
  const list = useRef<HTMLDivElement>(null)
  const focused = (): string | null =>
    document.activeElement?.closest<HTMLElement>('[data-service]')?.dataset.service ?? null
  const move = (by: number): void => {
    const links = [...(list.current?.querySelectorAll<HTMLElement>('[data-service] h3 a') ?? [])]
    const at = links.findIndex(
      (link) => link.closest<HTMLElement>('[data-service]')?.dataset.service === focused(),
    )
    const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))
    links[next]?.focus()
  }
  const keys = { j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1) }
  useKeys(keys)
  useServiceKeys(focused)

  if (projects.length === 0) return <NothingUp />
  return (
    <div ref={list}>
      {projects.map((project) => (
        <Project key={project.id} project={project} />
      ))}
    </div>
  )
}

function Project({ project }: { project: ProjectStatus }) {
  return (
    <section className="project" aria-labelledby={`project-${project.id}`}>
      <header className="project-head">
        <h2 id={`project-${project.id}`}>{project.id}</h2>
        <p className="soft" title={project.config ?? ''}>
          {project.dir}
        </p>
        <p className="summary">{summary(project.services)}</p>
      </header>
      <ProblemList problems={project.problems} dir={project.dir} />
      <ul className="services">
        {project.services.map((service) => (
          <li key={service.id} data-service={service.id}>
            <ServiceCard service={service} href={serviceHref(service.id)} />
          </li>
        ))}
      </ul>
    </section>
  )
}

/** `2 ready · 1 failed` */
function summary(services: ServiceStatus[]): string {
  const counts = new Map<string, number>()
  for (const { state } of services) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${state}`).join(' · ')
}

function NothingUp() {
  return (
    <section className="empty-page">
      <h2>Nothing is up</h2>
      <p>In a project’s folder:</p>
      <pre>npx devsock up</pre>
      <p className="soft">
        It holds the project’s ports and starts a server when its first connection comes. It appears here by
        itself.
      </p>
    </section>
  )
}
