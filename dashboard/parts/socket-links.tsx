import type { SocketStatus } from '../../proxy/protocol.ts'
import { socketText } from '../model/words.ts'

/** Where a service is reached: a link where a browser can go. */
export function SocketLinks({ sockets }: { sockets: SocketStatus[] }) {
  if (sockets.length === 0) return <p className="soft">no socket</p>
  return (
    <ul className="sockets">
      {sockets.map((socket) => (
        <li key={socket.name} title={sockets.length > 1 ? socket.name : undefined}>
          {socket.url?.startsWith('http') ? (
            <a href={socket.url} target="_blank" rel="noopener noreferrer">
              {socketText(socket)}
            </a>
          ) : (
            <span>{socket.address}</span>
          )}
        </li>
      ))}
    </ul>
  )
}
