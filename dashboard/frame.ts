/** A hidden page gets no animation frames. */
const HIDDEN_MS = 200

/** Calls back with the next frame, after the browser knows where everything was scrolled to; hidden, soon. */
export function onNextFrame(callback: () => void): void {
  if (document.hidden) setTimeout(callback, HIDDEN_MS)
  else requestAnimationFrame(callback)
}
