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
            {problem.hint && <span className="soft">{problem.hint}</span>}
          </li>
        ))}
      </ul>
    </div>
  )
}

/** `devsock.config.ts:12:5`, as editors and terminals make a link of it. */
function placeOf({ file, line, column }: Problem, dir: string): string {
  const path = file?.startsWith(`${dir}/`) ? file.slice(dir.length + 1) : (file ?? '')
  return [path, line, column].filter((part) => part !== null && part !== '').join(':')
}
