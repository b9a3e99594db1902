import { useMemo } from 'react'
import { Cascades } from '../graph/cascades.tsx'
import { Connections } from '../graph/connections.tsx'
import { Drawing } from '../graph/drawing.tsx'
import { cascadesOf, graphOf } from '../graph/graph.ts'
import { useKeys } from '../keys.ts'
import { allServices } from '../model/model.ts'
import { StateMark } from '../parts/state-mark.tsx'
import { serviceHref } from '../route.ts'
import { useModel } from '../store.ts'

/** Which service connects to which, and which woke which. */
export function GraphView() {
  const { projects, edges, wakes } = useModel()
  useKeys({ Escape: () => location.assign('#/') })
  const graph = useMemo(() => graphOf(allServices({ projects }), edges, wakes), [projects, edges, wakes])
  const cascades = useMemo(() => cascadesOf(wakes), [wakes])
  return (
    <section className="graph" aria-labelledby="graph-title">
      <header>
        <h2 id="graph-title">Who connects to whom</h2>
        <p className="soft">
          Seen in the kernel’s tables: what starts a server at once, everything else while you watch.
        </p>
      </header>
      {graph.connections.length === 0 ? (
        <div className="graph-frame">
          <p className="empty">
            No connection yet. Open a service, and everything that it asks appears here, with what that
            started: nobody has to declare who needs whom.
          </p>
        </div>
      ) : (
        <Drawing graph={graph} />
      )}
      {graph.alone.length > 0 && (
        <div className="alone">
          <h3>No connection seen</h3>
          <ul>
            {graph.alone.map(({ id, name, state }) => (
              <li key={id}>
                <a href={serviceHref(id)}>{name}</a> <StateMark state={state} />
              </li>
            ))}
          </ul>
        </div>
      )}
      <Cascades cascades={cascades} />
      <Connections connections={graph.connections} />
    </section>
  )
}
