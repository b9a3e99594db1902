// FILE: `pm2 reload web` when FILE is saved, by pm2's own library: its command line takes a third of a second to start.
const { createRequire } = require('node:module')
const { onSave } = require('./on-save.cjs')

const pm2 = createRequire(`${process.cwd()}/`)('pm2')
let reloading = false
let again = false

function reload() {
  again = reloading
  if (reloading) return
  reloading = true
  pm2.reload('web', (error) => {
    if (error) console.error(error)
    reloading = false
    if (again) reload()
  })
}

pm2.connect((error) => {
  if (error) throw error
  onSave(process.argv[2], reload)
})
