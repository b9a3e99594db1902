/**
 * Which way each generation of a service goes, and what is learnt from one that ends without its port: below a shell
 * or a wrapper there may be a program that binds past libc, which no file tells in advance.
 */
import { type Adoptable, type Adopter, adoptionWay, type Way } from './adoption.ts'
import { type Nature, programOf } from './executable.ts'

/** What is known of a generation that began. */
interface Went {
  way: Way | null
  nature: Nature
  /** All that the choice was made by. */
  program: string
}

export interface SavedWays {
  went: [number, Went][]
  /** Programs that take the kernel's way though their files do not say so. */
  learnt: string | null
}

/** How a generation ended, or (null) that it goes on. */
export type Ended = { code: number | null; left: number } | null

/** Whoever finds the port taken says so, in whichever language of programs. */
const IN_USE =
  /EADDRINUSE|address (?:is )?already in use|address in use|AddrInUse|port \d+ is (?:already )?(?:in use|taken)/i

export class Ways {
  readonly #went: Map<number, Went>
  #learnt: string | null

  constructor(saved?: SavedWays) {
    this.#went = new Map(saved?.went)
    this.#learnt = saved?.learnt ?? null
  }

  get saved(): SavedWays {
    return { went: [...this.#went], learnt: this.#learnt }
  }

  /** For generation `number`, which is about to start. */
  choose(number: number, service: Adoptable, env: Record<string, string>, adopter: Adopter): Way | null {
    const { argv, cwd } = service
    const { file, nature } = programOf({ argv, cwd, path: env.PATH })
    const program = JSON.stringify([argv, file, nature])
    const way = adoptionWay(service, env, adopter, { file, nature }, this.#learnt === program)
    this.#went.set(number, { way, nature, program })
    return way
  }

  of(number: number): Way | null {
    return this.#went.get(number)?.way ?? null
  }

  /**
   * Whether a generation that bound nothing is worth a second try, the kernel's way: then its program's next one goes
   * it. Of a program that calls libc itself only if it says that its port is taken: some child of it may not. A shell's
   * may be anything.
   */
  isSecondDue(number: number, adopt: Adoptable['adopt'], ended: Ended, log: () => string): boolean {
    const went = this.#went.get(number)
    if (went?.way !== 'preload' || adopt !== true) return false
    // A signal is nobody's port. 126 and 127 are a shell's own, and who forks away is told so.
    if (ended !== null && (ended.code === null || ended.code >= 126 || ended.left > 0)) return false
    const isOpen = ended !== null && went.nature !== 'libc'
    if (!isOpen && !IN_USE.test(log())) return false
    this.#learnt = went.program
    return true
  }

  /** Nothing is left of that generation. What it was the trial of is forgotten where it `bound` nothing. */
  forget(number: number, bound: boolean): void {
    const went = this.#went.get(number)
    this.#went.delete(number)
    if (went?.way === 'kernel' && !bound && went.program === this.#learnt) this.#learnt = null
  }
}
