import type { WriteStream } from 'node:tty'

/** Rows of the screen that are drawn anew for each frame, past Ink: laying out a busy log would take it 30 ms each. */
export interface Pane {
  top: number
  draw(): string[]
}

export type Terminal = Pick<
  WriteStream,
  'write' | 'columns' | 'rows' | 'writableNeedDrain' | 'once' | 'on' | 'off'
>

/** As many frames a second as a person can tell apart, however much the services print. */
const FRAME_MS = 60
/** A frame may take this part of the time until the next one. */
const SHARE = 1 / 12

/** Alternate screen; cursor hidden; no wrapping, since programs disagree about the width of some characters. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J'
const LEAVE = '\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l'
/** A synchronized update, where the terminal knows it (DEC private mode 2026): no half a frame is shown. */
const BEGIN = '\u001b[?2026h'
const END = '\u001b[?2026l'
const RESET = '\u001b[0m'

/**
 * Brings rows to the terminal: only those that changed, each at its place, so that nothing scrolls and nothing depends
 * on where the cursor was. A terminal that is slow to read (ssh) gets fewer frames, never old ones.
 */
export class Painter implements Disposable {
  readonly #terminal: Terminal
  #frame: string[] = []
  #pane: Pane | null = null
  /** What the terminal shows; null: nothing is known of it. */
  #shown: string[] | null = null
  #timer: NodeJS.Timeout | undefined
  #paintedAt = 0
  #cost = 0
  #isEntered = false
  #isWaiting = false
  readonly #leaveAtExit = (): void => this.leave()

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  enter(): void {
    if (this.#isEntered) return
    this.#isEntered = true
    this.#terminal.write(ENTER)
    // Whatever ends this process, the shell's screen comes back.
    process.on('exit', this.#leaveAtExit)
    this.repaint()
  }

  leave(): void {
    if (!this.#isEntered) return
    this.#isEntered = false
    clearTimeout(this.#timer)
    this.#timer = undefined
    process.off('exit', this.#leaveAtExit)
    this.#terminal.write(LEAVE)
  }

  [Symbol.dispose](): void {
    this.leave()
  }

  /** What Ink has laid out: of a person's doing, so it is shown at once. */
  setFrame(frame: string): void {
    this.#frame = frame.split('\n')
    this.#schedule(0)
  }

  setPane(pane: Pane | null): void {
    this.#pane = pane
    this.#schedule(0)
  }

  /** The pane is not what it was. */
  touch(): void {
    const gap = Math.max(FRAME_MS, this.#cost / SHARE)
    if (this.#timer === undefined && !this.#isWaiting)
      this.#schedule(Math.max(0, this.#paintedAt + gap - performance.now()))
  }

  /** All of it, whatever the terminal shows by now. */
  repaint(): void {
    this.#shown = null
    this.#schedule(0)
  }

  #schedule(ms: number): void {
    if (!this.#isEntered || this.#isWaiting) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#paint(), ms)
  }

  #paint(): void {
    this.#timer = undefined
    if (!this.#isEntered) return
    if (this.#terminal.writableNeedDrain) return this.#wait()
    const began = performance.now()
    const rows = this.#compose()
    const changes = rows.flatMap((row, index) =>
      row === this.#shown?.[index] ? [] : [`\u001b[${index + 1};1H\u001b[2K${row}${RESET}`],
    )
    const clear = this.#shown === null ? '\u001b[2J' : ''
    this.#shown = rows
    if (changes.length > 0) this.#terminal.write(`${BEGIN}${clear}${changes.join('')}${END}`)
    this.#paintedAt = performance.now()
    this.#cost = this.#paintedAt - began
  }

  #compose(): string[] {
    const { rows } = this.#terminal
    const composed = Array.from({ length: rows }, (_, index) => this.#frame[index] ?? '')
    if (this.#pane) {
      for (const [index, row] of this.#pane.draw().entries()) {
        const at = this.#pane.top + index
        if (at < rows) composed[at] = row
      }
    }
    return composed
  }

  #wait(): void {
    this.#isWaiting = true
    this.#terminal.once('drain', () => {
      this.#isWaiting = false
      this.#schedule(0)
    })
  }
}
