import { cpus, release } from 'node:os'

/** Where figures come from. */
export const machine = `Node ${process.versions.node}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`
