/** The commands of `:`, what completes them, and what they do. */
import type { ServiceStatus } from '../../proxy/protocol.ts'
import { suggest } from '../print/suggest.ts'
import type { Action, Pressed, ScreenState, Surroundings } from './keys.ts'

export interface Command {
  /** As it is typed: `restart web`. */
  text: string
  does: string
  run(state: ScreenState): Pressed
}

/** All that can be said of these services. */
export function commandsFor(services: ServiceStatus[]): Command[] {
  const running = services.filter(({ desired }) => desired !== 'down')
  return [
    ...verbs(services, running),
    ...services.flatMap(({ name, state }) => [
      ...(state === 'conflict'
        ? [acting(`settle ${name}`, 'free its port, or go without', { do: 'settle', service: name })]
        : []),
      acting(`open ${name}`, 'in the browser', { do: 'open', service: name }),
      showing(`logs ${name}`, 'its log alone', (state) => ({
        ...state,
        mode: 'pager',
        log: { ...state.log, only: name },
      })),
      detail(name, services),
    ]),
    showing('logs all', 'the log of all services', (state) => ({
      ...state,
      mode: 'pager',
      log: { ...state.log, only: null },
    })),
    showing('wrap', 'long lines: wrapped or cut', (state) => ({
      ...state,
      log: { ...state.log, wrap: !state.log.wrap },
    })),
    acting('dashboard', 'in the browser', { do: 'dashboard' }),
    acting('detach', 'leave it up', { do: 'detach' }),
    acting('quit', 'bring it down', { do: 'quit' }),
    showing('help', 'every key', (state) => ({ ...state, mode: 'help', before: state.mode, offset: 0 })),
  ]
}

const DOES = {
  restart: 'a swap: nothing is refused',
  start: 'without waiting for a connection',
  stop: 'and release its ports',
  sleep: 'end it, keep its ports',
} as const

function verbs(services: ServiceStatus[], running: ServiceStatus[]): Command[] {
  return (['restart', 'start', 'stop', 'sleep'] as const).flatMap((verb) => {
    const targets = verb === 'start' ? services : running
    const act = (text: string, names: string[]): Command =>
      acting(`${verb} ${text}`, DOES[verb], { do: 'verb', verb, services: names })
    const names = targets.map(({ name }) => name)
    return [...names.map((name) => act(name, [name])), ...(names.length > 1 ? [act('all', names)] : [])]
  })
}

/**
 * Those that the words typed so far begin, in the order of the list: `r w` finds `restart web`. Where none does, those
 * that have the letters in that order.
 */
export function complete(text: string, commands: Command[]): Command[] {
  const typed = text.trim().toLowerCase().split(/\s+/).filter(Boolean)
  const begun = commands.filter((command) => {
    const words = command.text.toLowerCase().split(' ')
    return typed.length <= words.length && typed.every((word, index) => words[index]?.startsWith(word))
  })
  if (begun.length > 0) return begun
  const letters = typed.join('')
  return commands.filter((command) => hasInOrder(command.text.toLowerCase(), letters))
}

/** Enter: what is chosen among what is offered. `free PORT` takes any number, and is offered to nobody. */
export function runCommand(
  state: ScreenState,
  text: string,
  choice: number,
  { services }: Surroundings,
): Pressed {
  if (text.trim() === '') return [state, null]
  const port = /^free\s+(\d+)$/.exec(text.trim())?.[1]
  if (port) return [state, { do: 'free', port: Number(port) }]
  const commands = commandsFor(services)
  const exact = commands.find((command) => command.text === text.trim())
  const command = exact ?? complete(text, commands)[choice]
  if (command) return command.run(state)
  const similar = suggest(
    text.trim(),
    commands.map((each) => each.text),
  )
  return [{ ...state, message: `there is no command ${text.trim()}${similar ? `; ${similar}?` : ''}` }, null]
}

function hasInOrder(text: string, letters: string): boolean {
  let at = 0
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1
    if (at === 0) return false
  }
  return true
}

const acting = (text: string, does: string, action: Action): Command => ({
  text,
  does,
  run: (state) => [state, action],
})

const showing = (text: string, does: string, change: (state: ScreenState) => ScreenState): Command => ({
  text,
  does,
  run: (state) => [change(state), null],
})

const detail = (name: string, services: ServiceStatus[]): Command => ({
  text: `detail ${name}`,
  does: 'generations, sockets, environment',
  run: (state) => {
    const selected = services.findIndex((service) => service.name === name)
    return [
      { ...state, mode: 'detail', selected, offset: 0 },
      { do: 'look', service: name },
    ]
  },
})
