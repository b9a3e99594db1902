import type { ReadStream, WriteStream } from 'node:tty'
import { render } from 'ink'
import type { Io } from '../io.ts'
import { InkInput } from './ink-input.ts'
import { InkOutput } from './ink-output.ts'
import type { Action } from './keys.ts'
import { Painter, type Terminal } from './painter.ts'
import type { ProjectStore } from './project-store.ts'
import type { Speech } from './speech.ts'
import { SpokenScreen } from './spoken-screen.tsx'
import { UpScreen } from './up-screen.tsx'

export interface StageProps {
  store: ProjectStore
  act(action: Action): void
  isLeased: boolean
}

/** The screen for a screen reader: by Ink's own means, below what the terminal has. */
export class SpokenStage implements AsyncDisposable {
  readonly #input: InkInput
  readonly #ink: ReturnType<typeof render>

  constructor(
    terminal: WriteStream,
    { stdin, paint }: Pick<Io, 'stdin' | 'paint'>,
    props: StageProps & { speech: Speech },
  ) {
    this.#input = new InkInput(stdin)
    this.#ink = render(<SpokenScreen {...props} paint={paint} />, {
      stdout: terminal,
      // Ink asks of it only what it has.
      stdin: this.#input as unknown as ReadStream,
      exitOnCtrlC: false,
      patchConsole: false,
      isScreenReaderEnabled: true,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ink.unmount()
    await this.#ink.waitUntilExit()
    this.#input[Symbol.dispose]()
  }
}

/** The screen on a terminal, until it is disposed; then the terminal is as it was. */
export class Stage implements AsyncDisposable {
  readonly #painter: Painter
  readonly #input: InkInput
  readonly #output: InkOutput
  readonly #growth: Disposable
  readonly #ink: ReturnType<typeof render>

  constructor(
    terminal: Terminal,
    { stdin, paint, colours }: Pick<Io, 'stdin' | 'paint' | 'colours'>,
    props: StageProps,
  ) {
    const painter = new Painter(terminal)
    this.#painter = painter
    this.#input = new InkInput(stdin)
    this.#output = new InkOutput(terminal, painter)
    this.#growth = props.store.logs.subscribe(() => painter.touch())
    painter.enter()
    const screen = (
      <UpScreen {...props} paint={paint} colours={colours} onPane={(pane) => painter.setPane(pane)} />
    )
    this.#ink = render(screen, {
      // Ink asks of them only what keys and frames need.
      stdout: this.#output as unknown as WriteStream,
      stdin: this.#input as unknown as ReadStream,
      exitOnCtrlC: false,
      patchConsole: false,
      debug: true,
    })
  }

  /** All of it, whatever the terminal shows. */
  repaint(): void {
    this.#painter.repaint()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ink.unmount()
    await this.#ink.waitUntilExit()
    this.#growth[Symbol.dispose]()
    this.#input[Symbol.dispose]()
    this.#output[Symbol.dispose]()
    this.#painter.leave()
  }
}
