import { fail, ok, type Result } from '../proxy/protocol.ts'

/** Ports as people type them: whole numbers from 1 to 65535. */
export function parsePorts(operands: string[]): Result<number[]> {
  const ports: number[] = []
  for (const text of operands) {
    const port = /^\d+$/.test(text) ? Number(text) : 0
    if (port < 1 || port > 65_535)
      return fail('usage', `${text} is not a port.`, 'A port is a number from 1 to 65535.')
    ports.push(port)
  }
  return ok(ports)
}
