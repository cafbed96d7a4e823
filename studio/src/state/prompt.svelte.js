// The prompt that is open: settings, and turns as a tree of which one path, down to `head`, is shown.
import * as library from '../wire/library.js'
import { fault, house } from './house.svelte.js'

export const fresh = () => ({
  temperature: null, topP: null, topK: null, maxOutputTokens: null, seed: null, stop: [], mediaResolution: '',
  json: { on: false, schema: '' },
  functions: { on: false, text: '', mode: 'AUTO', mocks: {}, auto: true },
})

const blank = () => ({
  id: crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2), title: '', kind: 'chat', model: '', system: '', config: fresh(), cache: null,
  head: null, draft: { text: '', files: [] },
})

export const prompt = $state(blank())
// Every turn by its id: {id, parent, role, parts, …}. Answers also have usage, grounding, citation, finish, ms, first, model, error.
export const turns = $state({})
export const shelf = $state({ prompts: [], saved: true, kept: false }) // the library; whether the open prompt is in it

/** The turns from the first to the head. */
export function path(head = prompt.head) {
  const found = []
  for (let turn = turns[head]; turn; turn = turns[turn.parent]) found.unshift(turn)
  return found
}

/** Turns with the same parent, this one among them, oldest first. */
export const siblings = (turn) => Object.values(turns).filter((each) => each.parent === turn.parent && each.role === turn.role).sort((a, b) => a.born - b.born)

/** The newest leaf under a turn. */
export function leaf(id) {
  const below = Object.values(turns).filter((each) => each.parent === id).sort((a, b) => b.born - a.born)[0]
  return below ? leaf(below.id) : id
}

export function add(role, parts, parent = prompt.head, more = {}) {
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`
  turns[id] = { id, parent, role, parts, born: Date.now() + Object.keys(turns).length / 1e6, ...more }
  prompt.head = id
  return turns[id]
}

/** Every file that the shown turns name, each once. */
export const material = () => [...new Map(path().flatMap((turn) => turn.parts).filter((part) => part.file).map(({ file }) => [file.name, file])).values()]

let timer = 0
// `named` is the title that was given by hand; `title` is what the list shows.
const head = () => ({
  title: title(), named: prompt.title, kind: prompt.kind, model: prompt.model, system: prompt.system, config: prompt.config, cache: prompt.cache, head: prompt.head,
  draft: { text: prompt.draft.text, files: prompt.draft.files.filter((file) => file.name) },
})

function title() {
  if (prompt.title) return prompt.title
  const first = path()[0]?.parts.find((part) => part.text)?.text || prompt.draft.text || prompt.draft.files[0]?.title || 'Untitled'
  return first.trim().split('\n')[0].slice(0, 80)
}

/** Save what is not a turn, soon; from the first turn or file on. */
export function keep(now = false) {
  if (!shelf.kept && !Object.keys(turns).length && !prompt.draft.files.length && !now) return
  shelf.saved = false
  clearTimeout(timer)
  timer = setTimeout(store, now ? 0 : 700)
}

/** Save at once what is still to be saved. */
export async function settle() {
  clearTimeout(timer)
  if (!shelf.saved || !shelf.kept) await store()
}

async function store() {
  try {
    const kept = await library.save(prompt.id, $state.snapshot(head()))
    if (kept.id === prompt.id) {
      shelf.kept = shelf.saved = true
      if (location.hash !== `#/${kept.id}`) history.replaceState(null, '', `#/${kept.id}`)
    }
    const at = shelf.prompts.findIndex((each) => each.id === kept.id)
    if (at >= 0) shelf.prompts.splice(at, 1)
    shelf.prompts.unshift(kept)
  } catch (error) {
    fault(error)
  }
}

/** Save a turn, which needs its prompt to be there. */
export async function keepTurn(turn) {
  try {
    if (!shelf.kept) await store()
    await library.saveTurn(prompt.id, $state.snapshot(turn))
    keep()
  } catch (error) {
    fault(error)
  }
}

function become(next, rows) {
  clearTimeout(timer)
  for (const id of Object.keys(turns)) delete turns[id]
  Object.assign(prompt, blank(), next)
  prompt.config = { ...fresh(), ...next.config }
  prompt.draft = next.draft ?? { text: '', files: [] }
  for (const row of rows) turns[row.id] = row
  house.passage = null
}

export function begin(kind = 'chat') {
  const { model, config } = $state.snapshot(prompt)
  become({ model, config, kind }, [])
  Object.assign(shelf, { kept: false, saved: true })
  history.replaceState(null, '', location.pathname)
  house.room = 'chat'
}

export async function reopen(id) {
  const { turns: rows, ...rest } = await library.open(id)
  become({ ...rest, title: rest.named ?? '', model: rest.model || prompt.model }, rows)
  Object.assign(shelf, { kept: true, saved: true })
  history.replaceState(null, '', `#/${id}`)
  house.room = 'chat'
}

export async function loadShelf() {
  shelf.prompts = await library.list()
}
