import { nameOf, timeOfDay } from '../model/words.ts'
import { serviceHref } from '../route.ts'
import { type Connection, isProgram } from './graph.ts'

/** The drawing as a table, for those who cannot see it and those who look for a number. */
export function Connections({ connections }: { connections: Connection[] }) {
  if (connections.length === 0) return null
  return (
    <section aria-labelledby="connections-title">
      <h3 id="connections-title">Connections</h3>
      <table className="connections">
        <thead>
          <tr>
            <th scope="col">from</th>
            <th scope="col">to</th>
            <th scope="col">open</th>
            <th scope="col">last seen</th>
          </tr>
        </thead>
        <tbody>
          {connections.map(({ from, to, open, lastAt }) => (
            <tr key={`${from} ${to}`}>
              <td>
                <End id={from} />
              </td>
              <td>
                <End id={to} />
              </td>
              <td className="tabular">{open}</td>
              <td className="tabular">{open > 0 ? 'now' : timeOfDay(lastAt)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

export function End({ id }: { id: string }) {
  return isProgram(id) ? <code>{id}</code> : <a href={serviceHref(id)}>{nameOf(id)}</a>
}
