/** Calls `handler` for each of these signals until disposed; meanwhile they do not end this process. */
export function onSignals(names: NodeJS.Signals[], handler: (signal: NodeJS.Signals) => void): Disposable {
  for (const name of names) process.on(name, handler)
  return {
    [Symbol.dispose]() {
      for (const name of names) process.off(name, handler)
    },
  }
}
