/** Ten thousand lines a second, whatever a timer makes of 5 ms. */
export const FLOOD = `
import { writeSync } from 'node:fs'
const begin = performance.now()
let count = 0
setInterval(() => {
  const due = Math.floor((performance.now() - begin) * 10)
  let text = ''
  while (count < due) text += \`line \${count++} GET /some/path 200 in 3 ms - the quick brown fox\\n\`
  writeSync(1, text)
}, 5)`
