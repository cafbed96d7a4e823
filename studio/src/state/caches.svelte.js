// Cached contexts of the server: material that was read once.
import { all, ask } from '../wire/client.js'
import { cacheBody } from '../wire/request.js'

export const caches = $state({ list: [], loaded: false })

// The server never gives back what a cache holds: which files those were is noted here, so that evidence in them can be opened.
const NOTES = 'pollux.caches'
const notes = () => JSON.parse(localStorage.getItem(NOTES) ?? '{}')

function note(name, files) {
  const kept = new Set(caches.list.map((each) => each.name))
  const rest = Object.entries(notes()).filter(([each]) => kept.has(each))
  localStorage.setItem(NOTES, JSON.stringify({ ...Object.fromEntries(rest), [name]: files }))
}

/** As a prompt names it. */
export const asUsed = (cache) => ({
  name: cache.name, title: cache.displayName ?? '', tokens: cache.usageMetadata?.totalTokenCount ?? 0, expires: cache.expireTime, model: cache.model, files: notes()[cache.name] ?? [],
})

export async function loadCaches() {
  caches.list = await all('/v1beta/cachedContents', 'cachedContents')
  caches.loaded = true
}

/** Have material read and kept; gives the cache as a prompt names it. */
export async function make(prompt, files, ttl) {
  const titles = files.map((file) => file.title)
  const title = titles.length > 2 ? `${titles[0]} and ${titles.length - 1} more` : titles.join(', ')
  const made = await ask('POST', '/v1beta/cachedContents', { body: cacheBody(prompt, files, { ttl, title: title.slice(0, 120) }) })
  caches.list.unshift(made)
  note(made.name, files.map(({ name, title, uri, mime }) => ({ name, title, uri, mime })))
  return asUsed(made)
}

export async function extend(cache, seconds) {
  const left = Math.max(0, Math.round((Date.parse(cache.expireTime) - Date.now()) / 1000))
  Object.assign(cache, await ask('PATCH', `/v1beta/${cache.name}`, { body: { ttl: `${left + seconds}s` } }))
}

export async function drop(cache) {
  await ask('DELETE', `/v1beta/${cache.name}`)
  caches.list = caches.list.filter((each) => each.name !== cache.name)
}
