// The server, as every room of the page speaks to it: addresses, the key, errors in one form.

// The page stands at …/studio/, the server's root one above.
export const base = new URL('..', document.baseURI).href.replace(/\/$/, '')

const KEY = 'pollux.key'
export const key = () => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? ''
export function setKey(text, keep) {
  sessionStorage.removeItem(KEY)
  localStorage.removeItem(KEY)
  if (text) (keep ? localStorage : sessionStorage).setItem(KEY, text)
}

/** What went wrong: `status` is 0 where the server was not reached; `todo` says what to do; `seconds` when to try again. */
export class Trouble extends Error {
  constructor(status, message, { name = '', seconds = 0, unkeyed = false, todo } = {}) {
    super(message)
    Object.assign(this, { status, name, seconds, unkeyed })
    this.todo = todo ?? advice(status, message, seconds, unkeyed)
  }
}

function advice(status, message, seconds, unkeyed) {
  if (unkeyed) return 'Give a key with which this server was started.'
  if (status === 0) return 'Check that “pollux serve” is running and that this address still reaches it, then try again.'
  if (/exceeds the maximum number of tokens|is too long|too many tokens/i.test(message)) return 'Take away some material, or choose a model that reads more.'
  if (/File .* may not exist|files\/\S+ .*not exist/i.test(message)) return 'The file expired or was deleted. Take it away and add it again.'
  if (/CachedContent not found/i.test(message)) return 'The cached context expired or was deleted. Detach it, or make it anew under Caches.'
  if (status === 429) return `The server is busy. Try again${seconds ? ` in ${seconds} s` : ' in a moment'}.`
  if (status === 413) return 'Split the file, or start the server with a larger limit.'
  if (status === 503) return 'The model is loading or overloaded. Try again in a moment.'
  if (status === 504) return 'It took longer than the server allows. Ask for less, or cache the material first.'
  if (status === 501) return 'This server does not do that.'
  if (status >= 500) return 'This is a fault of the server; its log says more.'
  return ''
}

export function headers(more = {}) {
  return { ...(key() && { 'x-goog-api-key': key() }), 'x-goog-api-client': 'pollux-studio', ...more }
}

/** Send a request; gives the Response where it went well, throws `Trouble` otherwise. `AbortError` passes through. */
export async function send(method, path, { body, type = 'application/json', signal, more } = {}) {
  const data = body === undefined || body instanceof Blob || typeof body === 'string' ? body : JSON.stringify(body)
  const kind = body === undefined && method === 'GET' ? {} : { 'content-type': type }
  let response
  try {
    response = await fetch(base + path, { method, body: data, signal, headers: headers({ ...kind, ...more }), cache: 'no-store' })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Trouble(0, 'The server cannot be reached.')
  }
  if (!response.ok) throw await trouble(response)
  return response
}

export async function ask(method, path, options) {
  const response = await send(method, path, options)
  return response.json()
}

async function trouble(response) {
  const text = await response.text().catch(() => '')
  try {
    return asTrouble(JSON.parse(text).error, response.status)
  } catch {
    return new Trouble(response.status, text.slice(0, 300) || response.statusText || `Status ${response.status}`)
  }
}

/** An error of Google's form as a `Trouble`. */
export function asTrouble(error, status = error.code) {
  const details = error.details ?? []
  const wait = details.find((each) => each['@type']?.endsWith('RetryInfo'))?.retryDelay
  const unkeyed = status === 401 || details.some((each) => each.reason === 'API_KEY_INVALID') || /unregistered callers|API key/i.test(error.message ?? '')
  return new Trouble(status, error.message ?? `Status ${status}`, { name: error.status, seconds: parseFloat(wait) || 0, unkeyed })
}

/** All pages of a list. */
export async function all(path, items) {
  const found = []
  let page = ''
  do {
    const answer = await ask('GET', `${path}?pageSize=100${page && `&pageToken=${encodeURIComponent(page)}`}`)
    found.push(...(answer[items] ?? []))
    page = answer.nextPageToken
  } while (page)
  return found
}
