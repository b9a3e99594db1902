/** Takes the README's pictures again: `npm run screenshots`. */
import { takeDashboard } from './dashboard.ts'
import { takeTerminal } from './terminal.ts'

await takeTerminal()
await takeDashboard()
