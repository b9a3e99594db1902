/** One line of `devsock doctor`. */
export interface Check {
  name: string
  ok: boolean
  message: string
  hint: string | null
}

export const fine = (name: string, message: string, hint: string | null = null): Check => ({
  name,
  ok: true,
  message,
  hint,
})

export const wrong = (name: string, message: string, hint: string): Check => ({
  name,
  ok: false,
  message,
  hint,
})
