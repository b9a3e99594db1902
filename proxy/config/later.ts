import type { Path } from './locate.ts'
import type { FullService } from './merge.ts'
import type { Report } from './problems.ts'

interface Later {
  key: keyof FullService
  asks: (service: FullService) => boolean
  message: string
  hint: string
}

/** What the configuration can say and this version cannot do: one line each, until it is there. */
const LATER: readonly Later[] = [
  {
    key: 'mode',
    asks: ({ mode = 'listen' }) => mode !== 'listen',
    message: 'modes other than "listen" are not in this version',
    hint: 'remove `mode`',
  },
  {
    key: 'task',
    asks: ({ task }) => task === true,
    message: 'tasks are not in this version',
    hint: 'run it before `devsock up`',
  },
  {
    key: 'needs',
    asks: ({ needs = [] }) => needs.length > 0,
    message: '`needs` is not in this version',
    hint: 'a service that another connects to is started by that connection',
  },
  {
    key: 'build',
    asks: ({ build }) => build !== undefined,
    message: '`build` is not in this version',
    hint: 'build in `command`: "npm run build && node dist/server.js"',
  },
]

export function reportLater(service: FullService, path: Path, report: Report): void {
  for (const { key, asks, message, hint } of LATER) {
    if (asks(service)) report({ path: [...path, key], message, hint, later: true })
  }
}
