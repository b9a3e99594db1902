import type { Problem } from '../../proxy/protocol.ts'

/** What is wrong with a configuration that was saved and not applied. */
export function ProblemList({ problems, dir }: { problems: Problem[]; dir: string }) {
  if (problems.length === 0) return null
  return (
    <div className="problems" role="alert">
      <p>The configuration was saved and is not applied: the last good one goes on.</p>
      <ul>
        {problems.map((problem) => (
          <li key={`${problem.file}:${problem.line}:${problem.path}:${problem.message}`}>
            <code>{placeOf(problem, dir)}</code>
            <span>
              {problem.path !== '' && <code className="path">{problem.path}</code>} {problem.message}
            </span>
            <Excerpt problem={problem} />
            {problem.hint && <span className="soft">{problem.hint}</span>}
          </li>
        ))}
      </ul>
    </div>
  )
}

/** The offending line, and where in it. */
function Excerpt({ problem: { text, line, column } }: { problem: Problem }) {
  if (text === undefined) return null
  const indent = text.length - text.trimStart().length
  const at = Math.max(0, (column ?? 1) - 1 - indent)
  return (
    <pre className="excerpt">
      <span className="soft">{line} │ </span>
      {text.trimStart()}
      {column !== null && (
        <span aria-hidden="true" className="caret">{`\n${' '.repeat(`${line} │ `.length + at)}^`}</span>
      )}
    </pre>
  )
}

/** `devsock.config.ts:12:5`, as editors and terminals make a link of it. */
function placeOf({ file, line, column }: Problem, dir: string): string {
  const path = file?.startsWith(`${dir}/`) ? file.slice(dir.length + 1) : (file ?? '')
  return [path, line, column].filter((part) => part !== null && part !== '').join(':')
}
