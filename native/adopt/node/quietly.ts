/** What fails here is no error of the program: it goes on as if it were not under devsock. */
export function quietly(action: () => unknown): void {
  try {
    const result = action()
    if (result instanceof Promise) result.catch(() => undefined)
  } catch (_) {
    // Some Node is not what internals.ts expects, or no descriptor is free.
  }
}
