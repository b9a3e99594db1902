/** There is no token, or a wrong one: nothing can be shown, only said how to come in. */
export function Locked({ isWrong }: { isWrong: boolean }) {
  return (
    <main className="empty-page">
      <h1>This page needs its key</h1>
      <p>
        {isWrong
          ? 'The link that it was opened with is of another devsock. On a terminal:'
          : 'It is opened by a link that only you have. On a terminal:'}
      </p>
      <pre>npx devsock open</pre>
      <p className="soft">
        The key stays in this tab: other tabs, other sites and the servers on localhost do not see it.
      </p>
    </main>
  )
}
