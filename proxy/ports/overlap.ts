import type { Address } from '../config/types.ts'

/** `::ffff:127.0.0.1` is 127.0.0.1 to the kernel. */
const plain = (address: string): string =>
  address.toLowerCase().startsWith('::ffff:') ? address.slice(7) : address.toLowerCase()
const isV6 = (address: string): boolean => address.includes(':')

/**
 * Whether a listener on `held` keeps another socket from binding `wanted` on the same port (both literals): the
 * same address, or a wildcard on either side. `::` counts for IPv4 too, as it does unless IPV6_V6ONLY is set.
 */
export function covers(held: string, wanted: string): boolean {
  const [a, b] = [plain(held), plain(wanted)]
  if (a === '' || a === b || a === '::' || b === '::') return true
  if (a === '0.0.0.0') return !isV6(b)
  return b === '0.0.0.0' && !isV6(a)
}

/**
 * Which of the listeners of one port stand in the way of a socket of devsock's.
 *
 * `loopback` and `wildcard` are one dual-stack socket on `::`, which runs into every listener of the port: the
 * kernel compares addresses before it looks at SO_BINDTODEVICE (inet_csk_bind_conflict). `/proc` does not say
 * IPV6_V6ONLY; where 0.0.0.0 and :: both listen, the second can only be v6-only, and is no obstacle to IPv4.
 */
export function obstacles<T extends { address: string }>(address: Address, listeners: readonly T[]): T[] {
  if (address.kind !== 'ip') return address.kind === 'unix' ? [] : [...listeners]
  const narrow = listeners.some((listener) => listener.address === '0.0.0.0')
  return listeners.filter((listener) => {
    if (narrow && listener.address === '::' && !isV6(plain(address.host)) && !isV6(address.host)) return false
    return covers(listener.address, address.host)
  })
}
