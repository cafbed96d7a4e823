// Needles in a text of the user's: sentences with a number, set in at a depth and asked for. The wording is that of the Gemini 1.5
// report (section 5.2.1.2), where a reply passes that holds the number.
import { cost, remove, upload } from '../wire/files.js'
import { bare, generate } from '../wire/stream.js'
import { passages } from '../wire/evidence.js'

const CITIES = `Abidjan Accra Adelaide Amman Antwerp Athens Auckland Baku Bamako Bergen Bologna Bristol Calgary Chennai Cusco Dakar Dresden Dublin Durban Genoa Hanoi
  Havana Hobart Izmir Jakarta Kampala Kigali Krakow Lagos Leipzig Lima Lyon Malaga Manila Medina Milan Muscat Nairobi Naples Odense Osaka Oslo Perth Porto Quito Riga
  Seville Sofia Split Tampere Tbilisi Tirana Tunis Turin Utrecht Vilnius Warsaw Zagreb`.split(/\s+/)
const TAKE = 200_000 // characters that tell how long a token is

export const question = (city) => `What is the special magic ${city} number? Don't give information outside the document or repeat your findings\n\nHere is the magic number from the context:`

export function needle() {
  const [a, b] = crypto.getRandomValues(new Uint32Array(2))
  return { city: CITIES[a % CITIES.length], number: String(1_000_000 + (b % 9_000_000)) }
}

/** A text of so many tokens, to within half a hundredth: cut by a guess, counted, and cut anew. */
export async function ofLength(text, tokens, model, signal) {
  const count = async (part) => (await cost(new Blob([part]), 'haystack.txt', bare(model), signal)).tokens
  const sample = text.slice(0, TAKE)
  let letters = Math.round((tokens * sample.length) / Math.max(1, await count(sample)))
  let cut = stretched(text, letters)
  for (let round = 0; round < 3; round++) {
    const have = await count(cut)
    if (Math.abs(have - tokens) <= tokens * 0.005 || !have) break
    letters = Math.round((cut.length * tokens) / have)
    cut = stretched(text, letters)
  }
  return cut
}

/** So many characters: the text's first ones, and it again where it is shorter. */
const stretched = (text, letters) => (letters <= text.length ? text : text.repeat(Math.ceil(letters / text.length))).slice(0, letters)

/** The text with a needle behind the last full stop before a depth (0 to 1). */
export function withNeedle(text, depth, { city, number }) {
  const at = depth === 1 ? text.length : text.lastIndexOf('.', Math.floor(text.length * depth)) + 1
  return `${text.slice(0, at)}\nThe special magic ${city} number is: ${number}\n${text.slice(at)}`
}

/** Ask for one needle; gives what came of it. The file that held it is deleted again. */
export async function tried(text, depth, model, { signal, tell }) {
  const made = needle()
  const file = await upload(new Blob([withNeedle(text, depth, made)], { type: 'text/plain' }), `needle at ${Math.round(depth * 100)}%.txt`, { signal })
  try {
    const parts = [{ fileData: { fileUri: file.uri, mimeType: file.mimeType } }, { text: question(made.city) }]
    const body = { contents: [{ role: 'user', parts }], generationConfig: { temperature: 0, maxOutputTokens: 32 } }
    const reply = await generate(model, body, { signal, tell })
    const said = reply.parts.map((part) => part.text ?? '').join('')
    const cited = passages(reply)[0]?.text.includes(made.number) ?? false
    return { ...made, said, passed: said.includes(made.number), cited, tokens: reply.usage?.promptTokenCount ?? 0, ms: reply.ms }
  } finally {
    remove(file.name).catch(() => {})
  }
}

/** A share with its 95% interval (Wilson), as words. */
export function rate(passed, asked) {
  if (!asked) return ''
  const [p, z] = [passed / asked, 1.96]
  const middle = (p + (z * z) / (2 * asked)) / (1 + (z * z) / asked)
  const half = (z * Math.sqrt((p * (1 - p)) / asked + (z * z) / (4 * asked * asked))) / (1 + (z * z) / asked)
  const percent = (share) => `${(100 * Math.min(1, Math.max(0, share))).toFixed(0)}`
  return `${percent(p)}% [${percent(middle - half)}, ${percent(middle + half)}], ${passed} of ${asked}`
}
