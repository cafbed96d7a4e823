// Numbers, sizes and times as people read them.
export const number = (count) => (count ?? 0).toLocaleString('en')

export function short(count) {
  if (count >= 1e6) return `${trim(count / 1e6)}M`
  if (count >= 1e4) return `${Math.round(count / 1e3)}k`
  return count >= 1e3 ? `${trim(count / 1e3)}k` : String(count)
}
const trim = (value) => value.toFixed(1).replace(/\.0$/, '')

export function bytes(count) {
  for (const [unit, scale] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]]) if (count >= scale) return `${trim(count / scale)} ${unit}`
  return `${count} bytes`
}

export const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`)

/** A moment of a sound or a film: 1:05, 1:00:05. */
export function clock(time) {
  const two = (value) => String(Math.floor(value)).padStart(2, '0')
  const hours = Math.floor(time / 3600)
  return hours ? `${hours}:${two((time / 60) % 60)}:${two(time % 60)}` : `${Math.floor(time / 60)}:${two(time % 60)}`
}

/** How long until a time, in words. */
export function until(time, now = Date.now()) {
  const left = Date.parse(time) - now
  if (Number.isNaN(left)) return 'never expires'
  if (left <= 0) return 'expired'
  const minutes = left / 60_000
  if (minutes < 1) return `expires in ${Math.round(left / 1000)} s`
  if (minutes < 90) return `expires in ${Math.round(minutes)} min`
  return minutes < 2880 ? `expires in ${Math.round(minutes / 60)} h` : `expires in ${Math.round(minutes / 1440)} days`
}

const FINISH = {
  MAX_TOKENS: 'Cut short at the longest answer allowed. Raise “length” to let it go on.', SAFETY: 'Withheld by a safety setting.',
  STOPPED: 'Stopped by you.', MALFORMED_FUNCTION_CALL: 'The model wrote a function call that is none.', RECITATION: 'Withheld: it recites.',
}
export const ending = (finish) => (!finish || finish === 'STOP' ? '' : (FINISH[finish] ?? `Ended: ${finish.toLowerCase().replaceAll('_', ' ')}.`))
