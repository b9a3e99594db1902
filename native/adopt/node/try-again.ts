/**
 * The exit status of a process that was booted ahead and is of no use any more, EX_TEMPFAIL of sysexits.h: the daemon
 * starts another one, and takes it for no failure of the code.
 */
export const TRY_AGAIN = 75
