const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (character) => ESCAPES[character])

const time = (iso) => new Date(iso).toLocaleTimeString('en-GB', { timeStyle: 'short' })

const noteItem = ({ author, text, at }) => `
      <li><p>${escapeHtml(text)}</p><footer>${escapeHtml(author)} <time datetime="${escapeHtml(at)}">${time(at)}</time></footer></li>`

const processLine = (name, { pid, generation }) =>
  `<span><b>${name}</b> generation ${escapeHtml(generation)} <i>pid ${escapeHtml(pid)}</i></span>`

/** The whole page. Change a word, save, reload: the next generation answers, and no note is lost. */
export const page = ({ notes, api, ms }) => `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Notes on a held port</title>
  <link rel="stylesheet" href="/style.css">
  <main>
    <h1>Notes on a held port</h1>
    <form method="post">
      <input name="author" placeholder="your name" maxlength="40" aria-label="your name">
      <input name="text" placeholder="a note" maxlength="280" aria-label="a note" required autofocus>
      <button>Add</button>
    </form>
    <ol reversed>${notes.toReversed().map(noteItem).join('')}
    </ol>
    ${notes.length === 0 ? '<p class="empty">No note yet. The first one will outlive every restart.</p>' : ''}
    <aside>
      ${processLine('web', { pid: process.pid, generation: process.env.DEVSOCK_GENERATION ?? 'none' })}
      ${processLine('api', api)}
      <span>api answered in ${ms.toFixed(1)} ms</span>
    </aside>
  </main>
</html>
`
