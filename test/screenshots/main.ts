/** Takes the README's pictures again: `npm run screenshots`. */
import { takeTerminal } from './terminal.ts'

await takeTerminal()
