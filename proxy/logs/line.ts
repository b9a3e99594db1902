/** One line of a log without its line end; `offset` is where it begins in the file, in bytes. */
export interface RawLine {
  offset: number
  text: string
}

/** A line and when it was written, in milliseconds since the epoch. */
export interface Line extends RawLine {
  at: number
}
