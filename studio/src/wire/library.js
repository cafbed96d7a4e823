// Prompts kept by the server, each with its turns as rows of their own: a turn is sent when it changes, never the whole chat.
import { ask, send } from './client.js'

export const list = async () => (await ask('GET', '/studio-api/prompts')).prompts
export const open = (id) => ask('GET', `/studio-api/prompts/${id}`)
export const save = (id, head) => ask('PUT', `/studio-api/prompts/${id}`, { body: head })
export const saveTurn = (id, turn) => ask('PUT', `/studio-api/prompts/${id}/turns/${turn.id}`, { body: turn })
export const remove = (id) => ask('DELETE', `/studio-api/prompts/${id}`)
export const take = (exported) => ask('POST', '/studio-api/prompts:import', { body: exported })

/** Hand the prompt to the user as a file. */
export async function download(id, title) {
  const blob = await (await send('GET', `/studio-api/prompts/${id}:export`)).blob()
  give(blob, `${title.replace(/[^\p{L}\p{N} ._-]+/gu, '').trim().slice(0, 60) || 'prompt'}.pollux.json`)
}

/** Have the browser save something under a name. */
export function give(blob, name) {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
