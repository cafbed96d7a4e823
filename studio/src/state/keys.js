// The keyboard: what shared/Shortcuts.svelte lists.
import { flushSync } from 'svelte'
import { passages } from '../wire/evidence.js'
import { house } from './house.svelte.js'
import { begin, material, path, prompt } from './prompt.svelte.js'
import { again, ask, run, stop } from './run.svelte.js'

export const ROOMS = ['chat', 'compare', 'caches', 'files', 'needles']

const withControl = {
  enter: () => house.room === 'chat' && ask(),
  j: () => { begin(); focus() },
  u: () => document.getElementById('add-files')?.click(),
  ';': () => { house.room = 'chat'; focus() },
  '.': () => (house.panel = !house.panel),
  b: () => (house.rail = !house.rail),
  '/': () => (house.dialog = 'keys'),
}

/** At once: what is typed next is meant for the question. */
function focus() {
  flushSync()
  document.getElementById('question')?.focus()
}

export function keyboard(event) {
  if (event.isComposing || event.defaultPrevented || document.querySelector('dialog[open]')) return // a dialog has keys of its own
  const key = event.key.toLowerCase()
  const act = event.ctrlKey || event.metaKey ? withControl[key] : event.altKey ? withAlt(event) : key === 'escape' ? escape : null
  if (!act) return
  event.preventDefault()
  act()
}

function withAlt(event) {
  const digit = /^Digit([1-5])$/.exec(event.code)?.[1]
  if (digit) return () => (house.room = ROOMS[digit - 1])
  return { KeyR: rerun, KeyE: evidence }[event.code]
}

const lastAnswer = () => path().findLast((turn) => turn.role === 'model')

function rerun() {
  const turn = lastAnswer()
  if (turn && !run.turn) again(turn)
}

function evidence() {
  const turn = lastAnswer()
  const best = turn && passages(turn, [...material(), ...(prompt.cache?.files ?? [])])[0]
  if (best) house.passage = { ...best, turn: turn.id }
}

function escape() {
  if (house.passage) { house.passage = null; focus() }
  else if (run.turn) stop()
}
