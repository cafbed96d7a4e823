// What the whole page knows: models, which room is open, what is to be told, how it looks.
import * as wire from '../wire/client.js'

export const house = $state({
  models: [],
  room: 'chat', // chat, compare, caches, files, needles
  dialog: '', // '', keys, code, key, folder, cache, library
  panel: innerWidth > 1100, // run settings
  rail: innerWidth > 800,
  passage: null, // evidence that is open
  notices: [],
  theme: localStorage.getItem('pollux.theme') ?? 'system',
  down: '', // why the server cannot be used at all
})

let number = 0

/** Tell something for some seconds; a `Trouble` with what to do about it. */
export function tell(text, { todo = '', bad = false } = {}) {
  const notice = { id: ++number, text, todo, bad }
  house.notices.push(notice)
  setTimeout(() => dismiss(notice.id), bad ? 12_000 : 4_000)
}

export const dismiss = (id) => (house.notices = house.notices.filter((each) => each.id !== id))

/** Tell what went wrong. A key that is missing is asked for. */
export function fault(error) {
  if (error.name === 'AbortError') return
  if (error.unkeyed) house.dialog = 'key'
  else tell(error.message, { todo: error.todo, bad: true })
}

export async function loadModels() {
  try {
    house.models = (await wire.all('/v1beta/models', 'models')).filter((each) => (each.supportedGenerationMethods ?? []).includes('generateContent'))
    house.down = house.models.length ? '' : 'This server has no model that answers.'
  } catch (error) {
    if (error.unkeyed) house.dialog = 'key'
    house.down = error.unkeyed ? 'This server asks for a key.' : `${error.message} ${error.todo}`
  }
}

export const model = (name) => house.models.find((each) => each.name === name) ?? house.models[0]

export function paint(theme) {
  house.theme = theme
  localStorage.setItem('pollux.theme', theme)
  document.documentElement.dataset.theme = theme
}
