import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { PortListing } from '../../proxy/protocol.ts'
import { useKeys } from '../keys.ts'
import { allServices, findService } from '../model/model.ts'
import { useFreeing } from '../parts/free-dialog.tsx'
import { serviceHref, useQueryText } from '../route.ts'
import { useModel, useStore } from '../store.ts'

/** Every listening port of this machine. */
export function Ports() {
  const [text, setText] = useQueryText('q')
  const search = useRef<HTMLInputElement>(null)
  const { ports, load } = usePorts()
  useKeys({ '/': () => search.current?.focus(), Escape: () => location.assign('#/') })
  const rows = useMemo(() => merged(ports ?? []), [ports])
  const shown = rows.filter((row) => matches(row, text.toLowerCase()))
  return (
    <section className="ports" aria-labelledby="ports-title">
      <header className="ports-head">
        <h2 id="ports-title">Ports of this machine</h2>
        <input
          ref={search}
          type="search"
          placeholder="port, process, folder"
          aria-label="filter ports"
          value={text}
          onChange={({ target }) => setText(target.value)}
          onKeyDown={({ key, currentTarget }) => {
            if (key === 'Escape') currentTarget.blur()
          }}
        />
        <button type="button" onClick={load}>
          Look again
        </button>
      </header>
      {ports !== null && shown.length === 0 && (
        <p className="empty">
          {text === '' ? 'Nobody listens on this machine.' : 'No port passes the filter.'}
        </p>
      )}
      {shown.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">port</th>
              <th scope="col">address</th>
              <th scope="col">process</th>
              <th scope="col">folder</th>
              <th scope="col">user</th>
              <th scope="col">
                <span className="visually-hidden">actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <PortRow key={`${row.protocol} ${row.port} ${row.inodes.join()}`} row={row} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

/** What has the same port and is of the same processes, or service: two families, or the slots of one socket. */
interface Row extends Omit<PortListing, 'address' | 'inode'> {
  addresses: string[]
  inodes: number[]
}

function PortRow({ row }: { row: Row }) {
  const model = useModel()
  const free = useFreeing()
  const { protocol, port, addresses, owners, service } = row
  const isOwn = owners.some(({ pid }) => pid === model.daemon?.pid || pid === model.daemon?.holderPid)
  // What is held for this machine alone is bound to every address of its loopback device.
  const held =
    service === null ? null : findService(model, service)?.sockets.find((socket) => socket.port === port)
  const place = isOwn && !held ? 'localhost' : (held?.address ?? addresses.map(addressText).join(', '))
  return (
    <tr>
      <th scope="row" className="tabular">
        {port}
        {protocol === 'udp' && <span className="soft"> udp</span>}
      </th>
      <td className="tabular">{place}</td>
      <td>
        {service !== null ? (
          <a href={serviceHref(service)}>{service}</a>
        ) : isOwn ? (
          'devsock, this page'
        ) : (
          owners.map(({ pid, command }) => (
            <span key={pid} className="process" title={command}>
              {pid > 0 && <span className="soft tabular">{pid}</span>}{' '}
              <code>{command || 'not ours to look into'}</code>
            </span>
          ))
        )}
      </td>
      <td className="folder" title={owners[0]?.cwd ?? ''}>
        <bdi>{service === null && !isOwn && owners[0]?.cwd}</bdi>
      </td>
      <td>{owners[0]?.user}</td>
      <td>
        {protocol === 'tcp' && service === null && !isOwn && owners.some(({ pid }) => pid > 0) && (
          <button type="button" aria-label={`Free ${port}`} onClick={() => free(port)}>
            Free…
          </button>
        )}
      </td>
    </tr>
  )
}

/** What is bound to everything says so by two different addresses. */
const addressText = (address: string): string =>
  address === '::' || address === '0.0.0.0' ? `all (${address})` : address

/** The listing, taken again when a service changed its state or somebody comes back to the page. */
function usePorts(): { ports: PortListing[] | null; load(): void } {
  const { api } = useStore()
  const model = useModel()
  const [ports, setPorts] = useState<PortListing[] | null>(null)
  const load = useCallback((): void => {
    void api.ports().then((found) => {
      if (found.ok) setPorts(found.value.ports)
    })
  }, [api])
  const states = allServices(model)
    .map(({ id, state, generation }) => `${id} ${state} ${generation}`)
    .join()
  const outcomes = model.notices.length
  // biome-ignore lint/correctness/useExhaustiveDependencies: what changed is the reason to look
  useEffect(load, [load, states, outcomes, model.link])
  useEffect(() => {
    window.addEventListener('focus', load)
    return () => window.removeEventListener('focus', load)
  }, [load])
  return { ports, load }
}

function merged(listings: PortListing[]): Row[] {
  const rows = new Map<string, Row>()
  for (const { address, inode, ...listing } of listings) {
    const whose = listing.service ?? listing.owners.map(({ pid }) => pid).join()
    const key = [listing.protocol, listing.port, whose].join()
    const row = rows.get(key)
    if (row === undefined) rows.set(key, { ...listing, addresses: [address], inodes: [inode] })
    else {
      if (!row.addresses.includes(address)) row.addresses.push(address)
      row.inodes.push(inode)
    }
  }
  return [...rows.values()]
}

function matches({ port, addresses, owners, service }: Row, text: string): boolean {
  const words = [
    port,
    ...addresses,
    service ?? '',
    ...owners.flatMap(({ pid, command, cwd, user }) => [pid, command, cwd, user]),
  ]
  return text === '' || words.join(' ').toLowerCase().includes(text)
}
