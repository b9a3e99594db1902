/**
 * Words that mean something to sh itself: `exec` in front of them would be another thing, or nothing.
 * POSIX.1-2024, Shell Command Language, 2.4 and 2.15, and the built-ins of dash and bash.
 */
const SHELL_WORDS = new Set(
  (
    '! { } [ [[ . : alias bg break case cd command continue do done echo elif else esac eval exec exit export ' +
    'false fc fg fi for function getopts hash if in jobs kill local printf pwd read readonly return select set ' +
    'shift source test then time times trap true type ulimit umask unalias unset until wait while'
  ).split(' '),
)

/**
 * The arguments that run a command line in sh. A line that is one simple command replaces the shell (`exec`):
 * the generation's leader is then the server itself, which LISTEN_PID names, and one process less waits. dash,
 * unlike bash, does not do that by itself.
 */
export function shellArguments(line: string): string[] {
  return ['/bin/sh', '-c', isSimpleCommand(line) ? `exec ${line}` : line]
}

/** One command without operators, perhaps with assignments before it: nothing is left for a shell to wait for. */
export function isSimpleCommand(line: string): boolean {
  const words = unquotedWords(line)
  // `FOO=1 exec node x` would do, but not in every sh: leave what begins with an assignment alone.
  const [first] = words ?? []
  return first !== undefined && !SHELL_WORDS.has(first) && !first.includes('=')
}

/** The words of a line; null where it has an operator, a comment, a command substitution or an open quote. */
function unquotedWords(line: string): string[] | null {
  const words: string[] = []
  let word = ''
  let quote = ''
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? ''
    if (quote !== '') {
      if (character === quote) quote = ''
      else if (character === '\\' && quote === '"') at += 1
      word += character
    } else if (character === '\\') {
      at += 1
      word += line[at] ?? ''
    } else if (character === "'" || character === '"') quote = character
    else if (/[\s]/.test(character)) {
      if (character === '\n') return null
      if (word !== '') words.push(word)
      word = ''
    } else if (';&|<>()`#'.includes(character)) return null
    else word += character
  }
  if (quote !== '') return null
  return word === '' ? words : [...words, word]
}
