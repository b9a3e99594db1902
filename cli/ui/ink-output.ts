import { EventEmitter } from 'node:events'
import type { Painter, Terminal } from './painter.ts'

/**
 * The stream that Ink writes its frames to: they go to the painter. Ink's own way of updating a terminal redraws
 * from the first line that changed, erases the shell's history when a frame is as high as the terminal, and is off
 * in what it takes for a CI.
 */
export class InkOutput extends EventEmitter implements Disposable {
  /** So Ink sends no escape sequences of its own. */
  readonly isTTY = false
  readonly #terminal: Terminal
  readonly #painter: Painter

  constructor(terminal: Terminal, painter: Painter) {
    super()
    this.#terminal = terminal
    this.#painter = painter
    terminal.on('resize', this.#onResize)
  }

  get columns(): number {
    return this.#terminal.columns || 80
  }

  get rows(): number {
    return this.#terminal.rows || 24
  }

  /** In Ink's debug mode every write is one whole frame. */
  write(frame: string): boolean {
    this.#painter.setFrame(frame)
    return true
  }

  [Symbol.dispose](): void {
    this.#terminal.off('resize', this.#onResize)
  }

  readonly #onResize = (): void => {
    this.#painter.repaint()
    this.emit('resize')
  }
}
