import { HolderError } from './error.ts'

/** How a generation is started: what the holder reads from a file of `tag=value` fields (ARCHITECTURE.md, "A spec"). */
export interface GenerationSpec {
  /** `shop/api#3` */
  id: string
  /** 128 random bits in hex. Its environment has it as DEVSOCK_INVOCATION, by which strays are found. */
  invocation: string
  /** Absolute. */
  cwd: string
  /** Absolute; opened O_APPEND, 0600, for stdout and stderr. */
  log: string
  /** RLIMIT_NOFILE; null: that of the holder when it was started. */
  nofile: [soft: number, hard: number] | null
  umask: number
  /** The first is looked up in the PATH of `env`. */
  argv: readonly string[]
  env: Readonly<Record<string, string>>
  /** fd 3, 4 … in this order. */
  slots: readonly GenerationSlot[]
  /** Its Node process waits before the user's code until it is called. */
  standby?: boolean
}

/** A slot as a generation has it: of which socket, and what LISTEN_FDNAMES calls it. */
export interface GenerationSlot {
  name: string
  index: number
  fdName: string
  /** The port of which a bind() by the program is answered with this slot by the holder; absent: none. */
  binds?: number
}

export const encodeSlot = ({ index, fdName, name, binds }: GenerationSlot): string =>
  `${binds === undefined ? index : `${index}:${binds}`} ${fdName} ${name}`

/** Of what the holder wrote: nothing is checked. */
export function decodeSlot(text: string): GenerationSlot {
  const [number = '', fdName = '', ...name] = text.split(' ')
  const [index, binds] = number.split(':')
  const slot = { index: Number(index), fdName, name: name.join(' ') }
  return binds === undefined ? slot : { ...slot, binds: Number(binds) }
}

/** Throws HolderError EINVAL, which names the field, for what would be read as something else. */
export function encodeSpec(spec: GenerationSpec): Buffer {
  const { id, invocation, cwd, log, nofile, umask, argv, env, slots, standby } = spec
  if (id === '') throw invalid('id', 'is empty')
  if (!/^[0-9a-f]{32}$/.test(invocation)) throw invalid('invocation', 'is not 32 hexadecimal digits')
  if (!cwd.startsWith('/')) throw invalid('cwd', `is not absolute: ${cwd}`)
  if (!log.startsWith('/')) throw invalid('log', `is not absolute: ${log}`)
  if (!argv[0]) throw invalid('arg', 'is missing: there is no command')
  if (nofile && !(nofile[0] >= 0 && nofile[0] <= nofile[1])) throw invalid('nofile', `is ${nofile.join(':')}`)
  if (!Number.isInteger(umask) || umask < 0 || umask > 0o777) throw invalid('umask', `is ${umask}`)

  const fields: [tag: string, value: string][] = [
    ['id', id],
    ['invocation', invocation],
    ['cwd', cwd],
    ['log', log],
    ['umask', umask.toString(8)],
  ]
  if (nofile) fields.push(['nofile', nofile.join(':')])
  if (standby) fields.push(['standby', '1'])
  for (const arg of argv) fields.push(['arg', arg])
  for (const [name, value] of Object.entries({ ...env, DEVSOCK_INVOCATION: invocation })) {
    // `=` ends the name (environ(7)); everything else, however odd, some program may want.
    if (name === '' || name.includes('=')) throw invalid('env', `has the name ${JSON.stringify(name)}`)
    fields.push(['env', `${name}=${value}`])
  }
  for (const slot of slots) {
    const { index, fdName } = slot
    // sd_listen_fds_with_names(3): no control characters, no `:`. The space is ours: it separates these three.
    if (!/^[\x21-\x39\x3b-\x7e]{1,255}$/.test(fdName))
      throw invalid('slot', `has the name ${JSON.stringify(fdName)}`)
    if (!Number.isInteger(index) || index < 0) throw invalid('slot', `has the index ${index}`)
    fields.push(['slot', encodeSlot(slot)])
  }

  const cut = fields.find(([, value]) => value.includes('\0'))
  if (cut) throw invalid(cut[0], 'has a NUL in it, which no program could be given')
  return Buffer.from(fields.map(([tag, value]) => `${tag}=${value}\0`).join(''))
}

const invalid = (tag: string, what: string): HolderError =>
  new HolderError('EINVAL', 'encode', `${tag} of the generation ${what}`)
