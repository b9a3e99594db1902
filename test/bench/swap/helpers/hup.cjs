// FILE PID: SIGHUP to PID when FILE is saved.
const { onSave } = require('./on-save.cjs')

const [file, pid] = process.argv.slice(2)
onSave(file, () => process.kill(Number(pid), 'SIGHUP'))
