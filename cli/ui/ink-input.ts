import { Transform, type TransformCallback } from 'node:stream'
import type { ReadStream } from 'node:tty'

// Neither twice nor at the head of a control sequence (CSI, SS3).
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
const ESCAPE_BEFORE_KEY = /\u001b(?=[^\u001b[O])/g

/**
 * The stream that Ink reads keys from. Of Escape and a key that come in one read (typed fast, or over a slow line)
 * Ink makes the key with Alt, and loses the Escape where that key is no letter or digit. Nothing here is asked for
 * with Alt: the Escape is given twice, which Ink takes for one that stands alone.
 */
export class InkInput extends Transform implements Disposable {
  readonly isTTY = true
  readonly #terminal: ReadStream

  constructor(terminal: ReadStream) {
    super()
    this.#terminal = terminal
    terminal.pipe(this)
  }

  setRawMode(isRaw: boolean): this {
    this.#terminal.setRawMode(isRaw)
    return this
  }

  ref(): this {
    this.#terminal.ref()
    return this
  }

  unref(): this {
    this.#terminal.unref()
    return this
  }

  // As latin1 bytes are characters, and characters of several bytes may be in two reads.
  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, Buffer.from(bytes.toString('latin1').replace(ESCAPE_BEFORE_KEY, '$&$&'), 'latin1'))
  }

  [Symbol.dispose](): void {
    this.#terminal.unpipe(this)
  }
}
