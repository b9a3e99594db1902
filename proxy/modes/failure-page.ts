import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reason } from '../protocol.ts'
import { colouredLog, plain } from './log-markup.ts'

/** What is said of a service that does not answer. */
export interface FailureReport {
  service: string
  state: string
  reason: Reason
  generation: number
  /** Last lines of its log, oldest first. */
  lines: string[]
}

/** Marks the answer as devsock's, for the page itself: a 503 of the server is another thing. Its value is the state. */
const MARK = 'x-devsock'

/** A page that shows the failure asks with this, to be answered once there is something else to see (answerer.ts). */
export const WAITS = 'x-devsock-waits'

const SHORT_RETRY_S = 1

/** 503 in the form the client prefers: a page that reloads itself, JSON, or text. Shows the log only to this machine. */
export function answerFailure(
  request: IncomingMessage,
  response: ServerResponse,
  report: FailureReport,
): void {
  const shown = isLocal(request) ? report : { ...report, lines: [] }
  const { type, body } = render(request.headers.accept ?? '', shown)
  response.writeHead(503, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
    'content-security-policy': POLICY,
    'cache-control': 'no-store',
    connection: 'close',
    'retry-after': String(SHORT_RETRY_S),
    'x-content-type-options': 'nosniff',
    [MARK]: isAtRest(report) ? 'asleep' : report.state,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Somebody put it to rest, or nobody has asked for long. */
const isAtRest = ({ state, reason }: FailureReport): boolean =>
  /^(held|stopping|stopped)$/.test(state) && /^(requested|idle)$/.test(reason.code)

function render(accept: string, report: FailureReport): { type: string; body: string } {
  if (accept.includes('text/html')) return { type: 'text/html', body: page(report) }
  const lines = report.lines.map(plain)
  if (accept.includes('application/json')) {
    const { message, hint } = report.reason
    const error = { code: 'service-failed', message, hint, service: report.service, lines }
    return { type: 'application/json', body: `${JSON.stringify({ v: 1, error })}\n` }
  }
  const { reason, service } = report
  const text = [`${service}: ${reason.message}`, reason.hint ?? '', ...lines].filter((line) => line !== '')
  return { type: 'text/plain', body: `${text.join('\n')}\n` }
}

/** A page of another site may reach this port by DNS rebinding: then the Host is its own. */
function isLocal(request: IncomingMessage): boolean {
  const from = request.socket.remoteAddress ?? ''
  const loopback = from === '::1' || from.startsWith('127.') || from.startsWith('::ffff:127.') || from === ''
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  return loopback && /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(host)
}

const escapeHtml = (text: string): string =>
  plain(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/**
 * Reloads the page when something else answers. The server itself is not asked for it, as it would be by asking
 * again and again: the question waits with devsock. A tab that nobody sees asks nothing: a browser has six connections
 * for all tabs of a site. Who put the service to sleep did not mean it to be woken by a page.
 */
const SCRIPT = `
  const note = document.querySelector('footer span')
  let waiting = null
  async function wait() {
    if (waiting || document.hidden) return
    waiting = new AbortController()
    try {
      const answer = await fetch(location.href, { method: 'HEAD', cache: 'no-store', headers: { '${WAITS}': '1' }, signal: waiting.signal })
      const state = answer.headers.get('${MARK}')
      if (state === 'asleep') return note.textContent = 'It was put to rest. Reload this page to ask for it.'
      if (state !== 'failed') return location.reload()
    } catch {}
    waiting = null
    setTimeout(wait, 1000)
  }
  document.addEventListener('visibilitychange', () => document.hidden ? waiting?.abort() : wait())
  wait()
`

/** ansi_up writes colours of the big palettes as style attributes. */
const POLICY = [
  "default-src 'none'",
  "connect-src 'self'",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const STYLE = `
  :root { color-scheme: light dark;
    --ground: light-dark(#f6f5f2, #131417); --sheet: light-dark(#fff, #1b1c20); --line: light-dark(#e2e0da, #2c2e34);
    --ink: light-dark(#1d1f23, #eceded); --soft: light-dark(#666a73, #9a9ea8); --alarm: light-dark(#c8372d, #ff6f61);
    --black: light-dark(#1d1f23, #6b7079); --red: light-dark(#b3261e, #ff7b72); --green: light-dark(#1a7f37, #7ee787);
    --yellow: light-dark(#8a6100, #e3b341); --blue: light-dark(#0a5cc4, #79b8ff); --magenta: light-dark(#8e3ab8, #d2a8ff);
    --cyan: light-dark(#0b7285, #76e3ea); --white: light-dark(#6b7079, #eceded); }
  * { box-sizing: border-box; }
  body { margin: 0; min-height: 100vh; padding: clamp(1.5rem, 9vh, 6rem) 1.25rem 2rem; background: var(--ground); color: var(--ink);
    font: 1rem/1.55 system-ui, sans-serif; }
  main { max-width: 58rem; margin: auto; background: var(--sheet); border: 1px solid var(--line); border-radius: .75rem;
    overflow: hidden; box-shadow: 0 1px 2px #0001, 0 12px 32px -16px #0003; }
  header { padding: 1.5rem 1.75rem 1.35rem; border-top: 3px solid var(--alarm); }
  header.quiet { border-color: var(--soft); }
  .who { display: flex; gap: .6rem; align-items: baseline; color: var(--soft); font-size: .875rem; }
  .who b { color: var(--alarm); font-weight: 600; } .quiet .who b { color: var(--soft); }
  h1 { margin: .35rem 0 0; font-size: 1.375rem; line-height: 1.35; font-weight: 600; text-wrap: balance; overflow-wrap: anywhere; }
  p { margin: .5rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
  pre { margin: 0; padding: 1.1rem 1.75rem; border-top: 1px solid var(--line); background: light-dark(#fbfaf8, #16171a);
    font: .8125rem/1.6 ui-monospace, "Cascadia Mono", Menlo, monospace; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; }
  footer { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .25rem 1.5rem; padding: .7rem 1.75rem;
    border-top: 1px solid var(--line); color: var(--soft); font-size: .8125rem; }
${['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']
  .map((name) => {
    const all = (suffix: string) => `.ansi-${name}-${suffix}, .ansi-bright-${name}-${suffix}`
    return `  ${all('fg')} { color: var(--${name}); } ${all('bg')} { background: color-mix(in srgb, var(--${name}) 22%, transparent); }`
  })
  .join('\n')}
  .ansi-bright-black-fg { color: var(--soft); }
`

function page({ service, state, reason, lines, generation }: FailureReport): string {
  const quiet = state === 'failed' ? '' : ' class="quiet"'
  const hint = reason.hint === null ? '' : `<p>${escapeHtml(reason.hint)}</p>`
  const log = lines.length === 0 ? '' : `<pre>${colouredLog(lines)}</pre>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>${escapeHtml(service)}: ${escapeHtml(reason.message)}</title>
<style>${STYLE}</style>
<main>
<header${quiet}>
<div class="who"><b>${escapeHtml(state)}</b> ${escapeHtml(service)}</div>
<h1>${escapeHtml(reason.message)}</h1>
${hint}
</header>
${log}
<footer><span>This page reloads itself when there is something else to see.</span> devsock · generation ${generation}</footer>
</main>
<script>${SCRIPT}</script>
`
}
