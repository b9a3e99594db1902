/** sessionStorage: of this tab and this origin alone. A cookie would reach every app on localhost. */
const KEY = 'devsock-token'

/**
 * The token of the link that `devsock open` prints (`#TOKEN`), else the one that this tab was opened with. Takes
 * it out of the address, so that it is in no history, bookmark or screenshot.
 */
export function takeToken({ location, history, sessionStorage }: Window): string | null {
  const [, token] = /^#([A-Za-z0-9_-]{16,})$/.exec(location.hash) ?? []
  if (token !== undefined) {
    sessionStorage.setItem(KEY, token)
    history.replaceState(null, '', location.pathname)
  }
  return sessionStorage.getItem(KEY)
}
