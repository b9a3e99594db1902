const { watch } = require('node:fs')

/** A save is a truncation and a write; they are told apart. */
const QUIET_MS = 5

/** Calls back once for every save of a file. */
exports.onSave = (file, saved) => {
  let timer
  watch(file, () => {
    clearTimeout(timer)
    timer = setTimeout(saved, QUIET_MS)
  })
}
