// A service without a socket: it runs from `devsock up` on, and each save of this file replaces it.
let ticks = 0
const tick = () => console.log(`tick ${++ticks} of generation ${process.env.DEVSOCK_GENERATION ?? 'none'}`)

tick()
setInterval(tick, 2000)
