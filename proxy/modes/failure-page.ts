import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reason } from '../protocol.ts'

/** What is said of a service that does not answer. */
export interface FailureReport {
  service: string
  state: string
  reason: Reason
  generation: number
  /** Last lines of its log, oldest first. */
  lines: string[]
}

/** Marks the page as devsock's, for the page itself: a 503 of the server is another thing. */
const MARK = 'x-devsock'

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
    'cache-control': 'no-store',
    connection: 'close',
    'retry-after': String(SHORT_RETRY_S),
    'x-content-type-options': 'nosniff',
    [MARK]: report.state,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function render(accept: string, report: FailureReport): { type: string; body: string } {
  if (accept.includes('text/html')) return { type: 'text/html', body: page(report) }
  if (accept.includes('application/json')) {
    const { message, hint } = report.reason
    const error = { code: 'service-failed', message, hint, service: report.service, lines: report.lines }
    return { type: 'application/json', body: `${JSON.stringify({ v: 1, error })}\n` }
  }
  const { reason, lines, service } = report
  const text = [`${service}: ${reason.message}`, reason.hint ?? '', ...lines].filter((line) => line !== '')
  return { type: 'text/plain', body: `${text.map(plain).join('\n')}\n` }
}

/** A page of another site may reach this port by DNS rebinding: then the Host is its own. */
function isLocal(request: IncomingMessage): boolean {
  const from = request.socket.remoteAddress ?? ''
  const loopback = from === '::1' || from.startsWith('127.') || from.startsWith('::ffff:127.') || from === ''
  const host = (request.headers.host ?? '').replace(/:\d+$/, '')
  return loopback && /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(host)
}

/** Escape sequences (CSI, OSC, the short ones) and control characters but tab and line feed. */
const ESCAPES = new RegExp(
  [
    String.raw`\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)`,
    String.raw`[\x00-\x08\x0b-\x1f\x7f-\x9f]`,
  ].join('|'),
  'g',
)

const plain = (text: string): string => text.replace(ESCAPES, '')

const escapeHtml = (text: string): string =>
  plain(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

function page({ service, reason, lines, generation }: FailureReport): string {
  const log = lines.map(escapeHtml).join('\n')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(service)}: ${escapeHtml(reason.message)}</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#d8dade, #34373d); --soft: light-dark(#5c616b, #9aa0ab); }
  body { margin: 0 auto; max-width: 60rem; padding: 8vh 1.5rem; font: 1rem/1.5 system-ui, sans-serif;
         background: light-dark(#fbfbfa, #17181b); color: light-dark(#1c1e21, #e6e7ea); }
  h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h1::before { content: "● "; color: #d9483b; }
  p { margin: .25rem 0; color: var(--soft); }
  pre { margin-top: 1.5rem; padding: 1rem; overflow: auto; border: 1px solid var(--line); border-radius: .5rem;
        font: .85rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
<h1>${escapeHtml(service)} ${escapeHtml(reason.message)}</h1>
<p>${reason.hint === null ? '' : escapeHtml(reason.hint)}</p>
<p>Generation ${generation}. This page reloads itself when the service is back.</p>
${log === '' ? '' : `<pre>${log}</pre>`}
<script>
  const look = async () => {
    try {
      const answer = await fetch(location.href, { method: 'HEAD', cache: 'no-store' })
      if (answer.headers.get('${MARK}') === null) return location.reload()
    } catch {}
    setTimeout(look, 1000)
  }
  setTimeout(look, 1000)
</script>
`
}
