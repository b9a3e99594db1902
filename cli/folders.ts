import { chmodSync, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fail, ok, type Result } from '../proxy/protocol.ts'
import { formatPath } from './print/paths.ts'

/** Where one user's devsock keeps things. */
export interface Folders {
  /** Logs, state, versions/. */
  state: string
  /** Sockets. */
  runtime: string
  controlSocket: string
  holderSocket: string
  /** What the holder and the daemon say. */
  log: string
}

/** sun_path of unix(7) holds 108 bytes with its NUL; Node cuts a longer path without a word. */
const LONGEST_SOCKET_PATH = 107

/** What the environment says; touches nothing on the disk. */
export function locateFolders(env: NodeJS.ProcessEnv): Folders {
  const home = env.HOME || homedir()
  const state = resolve(
    env.DEVSOCK_STATE_DIR || join(env.XDG_STATE_HOME || join(home, '.local', 'state'), 'devsock'),
  )
  const runtime = resolve(env.DEVSOCK_RUNTIME_DIR || join(state, 'run'))
  return {
    state,
    runtime,
    controlSocket: join(runtime, 'control.sock'),
    holderSocket: join(runtime, 'holder.sock'),
    log: join(state, 'holder.log'),
  }
}

/** Makes both folders where they are missing, and refuses those that another user could reach into. */
export function prepareFolders(folders: Folders): Result<Folders> {
  const bytes = Buffer.byteLength(folders.controlSocket)
  if (bytes > LONGEST_SOCKET_PATH) {
    return fail(
      'path-too-long',
      `The path ${folders.controlSocket} has ${bytes} bytes; the kernel takes ${LONGEST_SOCKET_PATH} for a socket.`,
      'Set DEVSOCK_RUNTIME_DIR to a shorter folder of your own, for example ~/.devsock.',
    )
  }
  for (const folder of [folders.state, folders.runtime]) {
    const prepared = prepareFolder(folder)
    if (!prepared.ok) return prepared
  }
  return ok(folders)
}

function prepareFolder(folder: string): Result<null> {
  try {
    // The umask may have taken bits away, and only a folder made right now is ours to change.
    if (mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(folder, 0o700)
    const reason = unsafeReason(folder) ?? unsafeParent(folder)
    return reason === null ? ok(null) : fail('folder-unsafe', ...reason)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return fail(
      'folder-unsafe',
      `Cannot use the folder ${folder}: ${message}.`,
      'Make it yours, or set DEVSOCK_STATE_DIR and DEVSOCK_RUNTIME_DIR to folders that are.',
    )
  }
}

type Reason = [message: string, hint: string]

/** Null: it is a folder, ours, 0700. */
function unsafeReason(folder: string): Reason | null {
  const stats = lstatSync(folder)
  const name = formatPath(folder)
  if (stats.isSymbolicLink()) {
    return [
      `${name} is a symbolic link; whoever owns it decides where the sockets are.`,
      `Name the folder itself: ${realpathSync(folder)}`,
    ]
  }
  if (!stats.isDirectory()) return [`${name} is not a folder.`, `Move it away: mv ${name} ${name}.old`]
  const user = process.getuid?.()
  if (user !== undefined && stats.uid !== user) {
    return [
      `${name} belongs to the user with the id ${stats.uid}, not to you (${user}).`,
      'Set DEVSOCK_STATE_DIR and DEVSOCK_RUNTIME_DIR to folders of your own.',
    ]
  }
  const mode = stats.mode & 0o777
  if ((mode & 0o077) !== 0) {
    return [`${name} has mode 0${mode.toString(8)}: other users can get in.`, `chmod 700 ${name}`]
  }
  return null
}

/** A parent that everybody may write to, without the sticky bit, lets anybody put another folder in our place. */
function unsafeParent(folder: string): Reason | null {
  let parent = realpathSync(dirname(folder))
  for (;;) {
    const { mode } = statSync(parent)
    if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) {
      return [
        `${formatPath(folder)} lies below ${parent}, where every user may rename it away.`,
        'Set DEVSOCK_STATE_DIR and DEVSOCK_RUNTIME_DIR to folders of your own.',
      ]
    }
    if (dirname(parent) === parent) return null
    parent = dirname(parent)
  }
}
