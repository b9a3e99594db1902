import type { PortOwner } from '../../proxy/protocol.ts'

/** `node server.js (pid 4242, ada) in ~/shop` */
export function ownerText({ command, pid, user, cwd }: PortOwner): string {
  if (pid === 0) return `a process of ${user}`
  return `${command} (pid ${pid}, ${user})${cwd ? ` in ${cwd}` : ''}`
}
