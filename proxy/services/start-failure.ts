import type { ResolvedService } from '../config/types.ts'
import type { HolderError } from '../holder/error.ts'
import type { StartFailure } from './state.ts'

type Said = Pick<HolderError, 'code' | 'syscall' | 'message'>

/** Why a generation could not be started, for the person whose configuration it is. */
export function startFailure({ code, syscall, message }: Said, service: ResolvedService): StartFailure {
  const say = (text: string, hint: string | null): StartFailure => ({ message: text, hint, shortage: false })
  const lack = (text: string, hint: string): StartFailure => ({ message: text, hint, shortage: true })
  if (syscall === 'seccomp') return { ...seccompFailure(code), shortage: false }
  const program = service.argv[0] ?? ''
  switch (`${syscall} ${code}`) {
    case 'execve ENOENT':
      return say(`command not found: ${program}`, `install it, or correct \`command\` of ${service.name}`)
    case 'execve EACCES':
      return say(`${program} may not be executed`, `chmod +x it, or correct \`command\` of ${service.name}`)
    case 'execve ENOEXEC':
      return say(`${program} is not a program`, 'a script needs a #! line; a string command runs in sh')
    case 'execve E2BIG':
      return say(
        'the environment and arguments are too large for this system',
        'make `env` or the shell smaller',
      )
    case 'chdir ENOENT':
      return say(
        `its folder does not exist: ${service.cwd}`,
        `create it, or correct \`cwd\` of ${service.name}`,
      )
    case 'chdir EACCES':
      return say(`its folder may not be entered: ${service.cwd}`, 'look at the permissions of the folder')
    case 'chdir ENOTDIR':
      return say(`its \`cwd\` is not a folder: ${service.cwd}`, `correct \`cwd\` of ${service.name}`)
  }
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return lack('the disk is full: its log cannot be written', 'free some space; it is tried again')
    case 'EMFILE':
    case 'ENFILE':
      return lack(
        'out of file descriptors',
        'raise the hard limit (ulimit -Hn), then `devsock daemon restart`',
      )
    case 'EAGAIN':
    case 'ENOMEM':
      return lack(
        `no process could be made (${syscall}: ${code})`,
        'memory or the limit on processes (ulimit -u) is used up',
      )
  }
  return say(`${syscall}: ${code}${message === '' ? '' : `: ${message}`}`, null)
}

/** Why its bind() cannot be answered by the holder (seccomp_unotify(2)), and what to do. */
export function seccompFailure(code: string): { message: string; hint: string } {
  if (code === 'EBUSY')
    return {
      message:
        'the kernel has its system calls answered by another supervisor already (a sandbox, WSL, an outer devsock), and takes no second',
      hint: 'run devsock outside of it, or have the program listen on fd 3 (LISTEN_FDS)',
    }
  return {
    message: `its bind() cannot be answered by devsock (seccomp: ${code}): that needs Linux 5.9 and no_new_privs`,
    hint: 'set adopt: "preload" for a program that is not static, or have it listen on fd 3 (LISTEN_FDS)',
  }
}

/** What sudo, su and the like say below no_new_privs, each in its own way. */
const NO_PRIVILEGES = /no new privileges|effective uid is not 0|must be (?:run as root|setuid)|setuid root/i

/** Of what a program said that ended below the kernel's way; null: that was not it. */
export const privilegeHint = (log: string): string | null =>
  NO_PRIVILEGES.test(log)
    ? 'adoption by the kernel sets no_new_privs, so sudo, su and other setuid programs gain nothing: leave them out, or set adopt: false and have it listen on fd 3 (LISTEN_FDS)'
    : null
