/** What a test's processes must not inherit: the runner's own settings, a caller's sockets, CI's habits. */
const FOREIGN =
  /^(NODE_.*|npm_.*|VITEST.*|VITE_.*|LISTEN_.*|NOTIFY_SOCKET|DEVSOCK.*|XDG_.*|SUDO_.*|CI|PORT|TEST|DEV|PROD|MODE|BASE_URL|SSR|FORCE_COLOR|NO_COLOR|CLICOLOR.*|PYTHONUNBUFFERED|TMUX.*)$/

/** The environment of a new user's shell, plus `more`; an `undefined` there takes a variable away. */
export function scrubbed(more: Record<string, string | undefined> = {}): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...process.env, ...more })) {
    if (value === undefined) continue
    if (FOREIGN.test(name) && !(name in more)) continue
    environment[name] = value
  }
  return environment
}
