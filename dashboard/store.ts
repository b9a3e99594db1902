import { createContext, useContext, useSyncExternalStore } from 'react'
import type { DevsockEvent, Failure } from '../proxy/protocol.ts'
import { Api } from './api.ts'
import { EventStream, type Link } from './event-stream.ts'
import { onNextFrame } from './frame.ts'
import type { History } from './model/history.ts'
import { apply, emptyModel, type Model, sampled, withNotice, withoutNotice } from './model/model.ts'

const SAMPLE_MS = 1_000
const HISTORY_KEY = 'devsock-history'

/** The model, kept up by the event stream, and shown a frame at a time however many events come. */
export class Store implements Disposable {
  readonly api: Api
  readonly #stream: EventStream
  readonly #sampling: ReturnType<typeof setInterval>
  readonly #listeners = new Set<() => void>()
  #next: Model
  #shown: Model
  #scheduled = false

  constructor(token: string) {
    this.api = new Api(token)
    this.#next = emptyModel(loadHistory())
    this.#shown = this.#next
    this.#stream = new EventStream({
      token,
      onEvent: (event) => this.#onEvent(event),
      onLink: (link) => this.#onLink(link),
    })
    this.#sampling = setInterval(() => this.#change(sampled(this.#next, Date.now())), SAMPLE_MS)
  }

  /** For useSyncExternalStore. */
  readonly model = (): Model => this.#shown

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Tells what came of something that was asked for. */
  say(level: 'info' | 'error', message: string, hint: string | null = null): void {
    const at = new Date().toISOString()
    this.#change(withNotice(this.#next, { at, level, about: null, message, hint, isOwn: true }))
  }

  sayFailure({ message, hint }: Failure): void {
    this.say('error', message, hint)
  }

  dismiss(key: number): void {
    this.#change(withoutNotice(this.#next, key))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sampling)
    this.#stream[Symbol.dispose]()
  }

  #onEvent(event: DevsockEvent): void {
    this.#change(apply(this.#next, event))
  }

  #onLink(link: Link): void {
    // Before the first snapshot there is nothing that could be away.
    const first = this.#next.daemon === null && link === 'away'
    this.#change({ ...this.#next, link: first ? 'connecting' : link })
  }

  #change(model: Model): void {
    if (model.history !== this.#next.history) saveHistory(model.history)
    this.#next = model
    if (this.#scheduled) return
    this.#scheduled = true
    onNextFrame(() => {
      this.#scheduled = false
      this.#shown = this.#next
      for (const listener of this.#listeners) listener()
    })
  }
}

function loadHistory(): History {
  try {
    return JSON.parse(sessionStorage.getItem(HISTORY_KEY) ?? '{}') as History
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

function saveHistory(history: History): void {
  try {
    sessionStorage.setItem(HISTORY_KEY, JSON.stringify(history))
  } catch (error) {
    // It is full: then a reload forgets what the page has seen.
    if (!(error instanceof DOMException)) throw error
  }
}

export const StoreContext = createContext<Store | null>(null)

export function useStore(): Store {
  const store = useContext(StoreContext)
  if (store === null) throw new Error('there is no store above this component')
  return store
}

export function useModel(): Model {
  const store = useStore()
  return useSyncExternalStore(store.subscribe, store.model)
}
