/** Lets nobody through until all who entered have left. */
export class Barrier {
  #inside = 0
  #waiting: (() => void)[] = []

  /** Disposed once it is no longer to be waited for. */
  enter(): Disposable {
    this.#inside += 1
    let left = false
    return {
      [Symbol.dispose]: () => {
        if (left) return
        left = true
        this.#inside -= 1
        if (this.#inside === 0) for (const resolve of this.#waiting.splice(0)) resolve()
      },
    }
  }

  empty(): Promise<void> {
    if (this.#inside === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
