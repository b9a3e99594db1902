import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { Store, StoreContext } from './store.ts'
import './style/base.css'
import './style/overview.css'
import './style/service.css'
import './style/graph.css'
import './style/pages.css'
import { takeToken } from './token.ts'
import { Locked } from './views/locked.tsx'

const element = document.getElementById('root')
if (element === null) throw new Error('index.html has no #root')
const token = takeToken(window)

// A link with a token may be opened in a tab that is here already.
window.addEventListener('hashchange', () => {
  if (takeToken(window) !== token) location.reload()
})

createRoot(element).render(
  token === null ? (
    <Locked isWrong={false} />
  ) : (
    <StoreContext value={new Store(token)}>
      <App />
    </StoreContext>
  ),
)
