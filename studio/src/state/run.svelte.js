// Asking: the question becomes a turn, the answer another that grows while it is streamed.
import { body, declarations, parsed } from '../wire/request.js'
import { generate } from '../wire/stream.js'
import { learn } from './count.svelte.js'
import { house } from './house.svelte.js'
import { add, keep, keepTurn, path, prompt, turns } from './prompt.svelte.js'

export const run = $state({ turn: '' }) // the answer that is being written
let stopper = null

export const stop = () => stopper?.abort()

/** Ask what stands in the draft. A single prompt keeps its draft, and each run of it is a branch from the start. */
export async function ask() {
  const { text, files } = prompt.draft
  const ready = files.filter((file) => file.name)
  if (run.turn || !prompt.model || !text.trim() || files.some((file) => file.sending)) return
  const parts = [...ready.map((file) => ({ file: $state.snapshot(file) })), { text }]
  const single = prompt.kind === 'single'
  run.turn = 'begun' // before anything is waited for: a second Enter must not ask twice
  const turn = add('user', parts, single ? null : prompt.head)
  if (!single) prompt.draft = { text: '', files: [] }
  await keepTurn(turn)
  await answer(turn.id)
}

/** Answer the turn anew, as another branch beside the answers there are. */
export async function answer(parent, round = 0) {
  const turn = add('model', [], parent, { model: prompt.model, config: $state.snapshot(prompt.config) })
  run.turn = turn.id
  stopper = new AbortController()
  const live = turns[turn.id]
  const begun = performance.now()
  try {
    const asked = $state.snapshot(path(parent))
    const tell = smooth((reply) => run.turn === turn.id && !stopper.signal.aborted && Object.assign(live, structuredClone(reply)))
    Object.assign(live, await generate(prompt.model, body(prompt, asked), { signal: stopper.signal, tell }))
    learn(asked, live.usage)
  } catch (error) {
    live.reading = null
    if (error.name === 'AbortError') live.finish = 'STOPPED'
    else live.error = { message: error.message, todo: error.todo, status: error.status }
    if (error.unkeyed) house.dialog = 'key'
  }
  live.ms ||= performance.now() - begun
  run.turn = ''
  await keepTurn(live)
  await callBack(live, round)
}

/** Pass on the last state once a frame: a model that writes faster than that would keep the page painting. */
function smooth(show) {
  let waiting = null
  return (reply) => {
    if (!waiting) requestAnimationFrame(() => { show(waiting); waiting = null })
    waiting = reply
    if (document.hidden || reply.finish) { show(reply); waiting = reply }
  }
}

/** Where every function that was called has a mock response, and they are to be given by themselves, give them. */
async function callBack(turn, round) {
  const calls = turn.parts.filter((part) => part.functionCall)
  const { auto, mocks } = prompt.config.functions
  if (!calls.length || turn.error || !auto || round >= 9) return
  if (calls.every(({ functionCall }) => parsed(mocks[functionCall.name] ?? '') !== null))
    await respond(turn.id, calls.map(({ functionCall }) => parsed(mocks[functionCall.name])), round + 1)
}

/** Answer a turn's function calls, in order, and go on. */
export async function respond(id, responses, round = 0) {
  const calls = turns[id].parts.filter((part) => part.functionCall).map((part) => part.functionCall)
  const parts = calls.map(({ id: call, name }, at) => ({ functionResponse: { ...(call && { id: call }), name, response: asObject(responses[at]) } }))
  run.turn = 'begun'
  const turn = add('user', parts, id)
  await keepTurn(turn)
  await answer(turn.id, round)
}

const asObject = (value) => (value && typeof value === 'object' && !Array.isArray(value) ? value : { result: value })

/** Run the answer again, beside the one there is. */
export const again = (turn) => (turn.role === 'model' ? answer(turn.parent) : answer(turn.id))

/** Say it otherwise: the turn stays, its changed twin is a branch beside it. A question is asked again, an answer just stands. */
export async function edit(turn, text) {
  if (turn.role === 'user') run.turn = 'begun'
  const others = $state.snapshot(turn.parts).filter((part) => !('text' in part))
  const twin = add(turn.role, turn.role === 'user' ? [...others, { text }] : [{ text }, ...others], turn.parent, { edited: true, model: turn.model })
  await keepTurn(twin)
  if (turn.role === 'user') await answer(twin.id)
}

export function show(id) {
  prompt.head = id
  keep()
}

export const called = () => declarations(prompt.config).map((each) => each.name)
