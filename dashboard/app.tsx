import { useEffect, useState } from 'react'
import { useKeys } from './keys.ts'
import { FreeingProvider } from './parts/free-dialog.tsx'
import { HelpDialog } from './parts/help-dialog.tsx'
import { Toasts } from './parts/toasts.tsx'
import { useRoute, type View } from './route.ts'
import { useModel } from './store.ts'
import { GraphView } from './views/graph.tsx'
import { Locked } from './views/locked.tsx'
import { Overview } from './views/overview.tsx'
import { Ports } from './views/ports.tsx'
import { Problems, problemCount } from './views/problems.tsx'
import { ServiceView } from './views/service.tsx'

const PLACES: { view: View; href: string; label: string }[] = [
  { view: 'overview', href: '#/', label: 'Overview' },
  { view: 'graph', href: '#/graph', label: 'Graph' },
  { view: 'ports', href: '#/ports', label: 'Ports' },
  { view: 'problems', href: '#/problems', label: 'Problems' },
]

export function App() {
  const model = useModel()
  const { view, service } = useRoute()
  const [isHelping, setHelping] = useState(false)
  const problems = problemCount(model)
  useKeys({
    '?': () => setHelping(true),
    ...Object.fromEntries(PLACES.map(({ href }, index) => [String(index + 1), () => location.assign(href)])),
  })
  useEffect(() => {
    document.title = [problems > 0 ? `(${problems})` : '', service, 'devsock'].filter(Boolean).join(' ')
  }, [problems, service])

  if (model.link === 'refused') return <Locked isWrong />
  return (
    <FreeingProvider>
      <header className="top">
        <h1>
          <a href="#/">devsock</a>
        </h1>
        <nav aria-label="views">
          {PLACES.map(({ view: each, href, label }) => (
            <a key={each} href={href} aria-current={view === each ? 'page' : undefined}>
              {label} {each === 'problems' && problems > 0 && <span className="badge">{problems}</span>}
            </a>
          ))}
        </nav>
        <LinkState />
        <button
          type="button"
          className="quiet"
          aria-label="keys"
          title="keys (?)"
          onClick={() => setHelping(true)}
        >
          ?
        </button>
      </header>
      <main>
        {model.link === 'connecting' ? (
          <p className="empty late">Connecting to devsock…</p>
        ) : view === 'service' ? (
          <ServiceView key={service} id={service} />
        ) : view === 'graph' ? (
          <GraphView />
        ) : view === 'ports' ? (
          <Ports />
        ) : view === 'problems' ? (
          <Problems />
        ) : (
          <Overview />
        )}
      </main>
      <Banner />
      <Toasts />
      {isHelping && <HelpDialog onClose={() => setHelping(false)} />}
    </FreeingProvider>
  )
}

function LinkState() {
  const { link, daemon } = useModel()
  return (
    <p className={`link link-${link}`} title={daemon ? `devsock ${daemon.version}, pid ${daemon.pid}` : ''}>
      {link === 'live' ? 'live' : link === 'away' ? 'away' : '…'}
    </p>
  )
}

/** The daemon has gone: what is shown is what was. */
function Banner() {
  const { link } = useModel()
  return (
    <div className="banner" role="status">
      {link === 'away' && (
        <p>
          <b>devsock is away.</b> Servers that run go on, and so do their ports; this page comes back by
          itself. If it does not, nothing is up any more: <code>devsock up</code>
        </p>
      )}
    </div>
  )
}
