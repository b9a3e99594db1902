import { useEffect, useState, useSyncExternalStore } from 'react'

export type View = 'overview' | 'service' | 'graph' | 'ports' | 'problems'

/** What the fragment says: `#/ports?q=node`. The token's has no slash (see token.ts). */
export interface Route {
  view: View
  /** `project/service`; '' in other views. */
  service: string
  query: URLSearchParams
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [first = '', ...rest] = path.split('/').map(decode)
  const parameters = new URLSearchParams(query)
  if (first === 'services' && rest.length >= 2)
    return { view: 'service', service: rest.join('/'), query: parameters }
  if (first === 'graph' || first === 'ports' || first === 'problems')
    return { view: first, service: '', query: parameters }
  return { view: 'overview', service: '', query: parameters }
}

export const serviceHref = (id: string): string =>
  `#/services/${id.split('/').map(encodeURIComponent).join('/')}`

/** The same place with other parameters; an empty value takes one away. No entry of the history: it is no journey. */
export function setQuery(changes: Record<string, string>): void {
  const [path] = location.hash.split('?')
  const { query } = parseRoute(location.hash)
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') query.delete(name)
    else query.set(name, value)
  }
  const hash = `${path || '#/'}${query.size > 0 ? `?${query}` : ''}`
  if (hash !== location.hash) location.replace(hash)
}

/** A browser counts changes of its address, and stops a page that makes too many. */
const TYPING_MS = 200

/** A text that somebody types, kept in the address: it survives a reload. */
export function useQueryText(name: string): [text: string, setText: (text: string) => void] {
  const [text, setText] = useState(() => parseRoute(location.hash).query.get(name) ?? '')
  useEffect(() => {
    const timer = setTimeout(() => setQuery({ [name]: text }), TYPING_MS)
    return () => clearTimeout(timer)
  }, [name, text])
  return [text, setText]
}

export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(onHash, () => location.hash))
}

function onHash(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

/** A person may have typed anything. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (error instanceof URIError) return part
    throw error
  }
}
