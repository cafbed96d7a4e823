// How many tokens the whole prompt has, exactly: the server counts the request that would be sent.
import { ask } from '../wire/client.js'
import { counted } from '../wire/request.js'
import { bare } from '../wire/stream.js'
import { path, prompt } from './prompt.svelte.js'

export const meter = $state({ tokens: 0, exact: true, error: '' })
const WAIT = 400
const LONG = 100_000 // tokens above which a count costs the server enough to wait longer for a pause
const MOST = 40
const known = new Map() // requests, as JSON, with their tokens
let timer = 0
let stopper = null

function remember(text, tokens) {
  known.set(text, tokens)
  if (known.size > MOST) known.delete(known.keys().next().value)
}

/** Note what an answer said of its own request: nothing is asked about that again. */
export const learn = (turns, usage) => usage?.promptTokenCount && remember(JSON.stringify($state.snapshot(counted(prompt, turns))), usage.promptTokenCount)

/** The turns of the next request, what stands in the draft among them. */
export function next() {
  const { text, files } = prompt.draft
  const parts = [...files.filter((file) => file.name && !file.error).map((file) => ({ file })), ...(text.trim() ? [{ text }] : [])]
  const before = prompt.kind === 'single' ? [] : path().filter((turn) => !turn.error)
  return parts.length ? [...before, { role: 'user', parts }] : before
}

/** Count again, once nothing has changed for a moment. What was answered last is added as its own count says. */
export function recount() {
  const turns = $state.snapshot(next())
  const answered = turns.at(-1)?.role === 'model' ? turns.pop() : null
  const more = answered?.usage?.candidatesTokenCount ?? 0
  const silent = turns.at(-1)?.role === 'user' && !turns.at(-1).parts.some((part) => part.text || part.functionResponse)
  if (silent) turns.at(-1).parts.push({ text: '?' }) // nothing can be counted that asks nothing
  const request = counted($state.snapshot(prompt), turns)
  const text = JSON.stringify(request)
  clearTimeout(timer)
  stopper?.abort()
  if (!turns.length) known.set(text, prompt.cache?.tokens ?? 0)
  if (known.has(text)) return Object.assign(meter, { tokens: known.get(text) + more, exact: !silent, error: '' })
  meter.exact = false
  timer = setTimeout(() => count(request, text, more, !silent), meter.tokens > LONG ? 3 * WAIT : WAIT)
}

async function count(request, text, more, exact) {
  stopper = new AbortController()
  try {
    const { totalTokens = 0 } = await ask('POST', `/v1beta/models/${bare(prompt.model)}:countTokens`, { body: request, signal: stopper.signal })
    remember(text, totalTokens)
    Object.assign(meter, { tokens: totalTokens + more, exact, error: '' })
  } catch (error) {
    if (error.name === 'AbortError') return
    const told = /token count \(([\d,]+)\) exceeds/.exec(error.message)?.[1] // too long a prompt is refused, with its length
    Object.assign(meter, { exact: !!told, error: error.message, ...(told && { tokens: Number(told.replaceAll(',', '')) }) })
  }
}
