/** Names of projects, services and sockets: safe in paths, in LISTEN_FDNAMES and in the holder's messages. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** Of a name; a log file's name is made of two of them and a number, 255 bytes at most. */
export const MAX_NAME = 64

/** What is wrong with a name, null if nothing is. */
export function nameProblem(name: string): string | null {
  if (name.length > MAX_NAME) return `the name is ${name.length} letters long, ${MAX_NAME} at most`
  return NAME.test(name) ? null : `${JSON.stringify(name)} is no name`
}

export const NAME_HINT = 'letters, digits, ".", "_" and "-", the first a letter or digit'

/**
 * A name from what was named for other purposes: a package (without its scope) or a folder, which may hold
 * anything but a slash.
 */
export function nameFrom(text: string): string {
  const name = text
    .replace(/^@[^/]*\//, '')
    .normalize('NFKD')
    .replace(/\p{Mark}+/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '')
    .slice(0, MAX_NAME)
  return name === '' ? 'project' : name
}

/** `my-api` → `MY_API`: the part of a variable's name that stands for a service or a socket. */
export function variablePart(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_')
}
