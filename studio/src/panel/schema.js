// A JSON Schema as it is written: checked, made from a table of fields, and read back into one.
export const TYPES = ['string', 'integer', 'number', 'boolean', 'enum', 'object']

const KNOWN = new Set(`$schema $id $defs $ref $comment title description type format nullable default example examples enum const items prefixItems minItems maxItems
  uniqueItems properties required minProperties maxProperties additionalProperties minLength maxLength pattern minimum maximum exclusiveMinimum exclusiveMaximum
  multipleOf anyOf oneOf allOf propertyOrdering definitions`.split(/\s+/))
const KINDS = new Set(['string', 'integer', 'number', 'boolean', 'object', 'array', 'null'])

/** {error, remark}: why the text is no schema, or what is odd about it; both empty where it is fine, or empty. */
export function check(text) {
  if (!text.trim()) return { error: '', remark: '' }
  let schema
  try {
    schema = JSON.parse(text)
  } catch (error) {
    return { error: `Not JSON: ${located(error.message, text)}`, remark: '' }
  }
  return { error: faults(schema, 'the schema') ?? '', remark: odd(schema) ?? '' }
}

function located(message, text) {
  const at = /position (\d+)/.exec(message)?.[1]
  if (at === undefined || /line \d+/.test(message)) return message
  const before = text.slice(0, Number(at)).split('\n')
  return `${message.replace(/ (in JSON )?at position \d+.*/, '')}, line ${before.length}, column ${before.at(-1).length + 1}`
}

function faults(schema, at) {
  if (schema === true || schema === false) return null
  if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) return `${at} has to be an object.`
  const types = [schema.type ?? []].flat()
  const wrong = types.find((type) => typeof type !== 'string' || !KINDS.has(type.toLowerCase()))
  if (wrong !== undefined) return `${at}: there is no type ${JSON.stringify(wrong)}.`
  if ('enum' in schema && (!Array.isArray(schema.enum) || !schema.enum.length)) return `${at}: enum has to be a list that holds something.`
  const missing = Array.isArray(schema.required) && schema.properties ? schema.required.find((name) => !(name in schema.properties)) : undefined
  if (missing !== undefined) return `${at}: ${JSON.stringify(missing)} is required, but there is no such property.`
  if ('required' in schema && !Array.isArray(schema.required)) return `${at}: required has to be a list of names.`
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const fault = faults(inner, `${at === 'the schema' ? '' : `${at}.`}${name}`)
    if (fault) return fault
  }
  if (schema.items && !Array.isArray(schema.items)) return faults(schema.items, `${at}[]`)
  for (const inner of [schema.anyOf, schema.oneOf, schema.allOf].flat().filter(Boolean)) {
    const fault = faults(inner, at)
    if (fault) return fault
  }
  return null
}

function odd(schema) {
  if (typeof schema !== 'object' || schema === null) return null
  const unknown = Object.keys(schema).find((name) => !KNOWN.has(name))
  if (unknown) return `“${unknown}” is no keyword of JSON Schema that is commonly understood; the server may refuse it.`
  const inner = [...Object.values(schema.properties ?? {}), schema.items, ...[schema.anyOf, schema.oneOf, schema.allOf].flat()].filter(Boolean)
  return inner.map(odd).find(Boolean) ?? null
}

export function schemaOf(fields) {
  const properties = Object.fromEntries(fields.filter((field) => field.name.trim()).map((field) => [field.name.trim(), property(field)]))
  return { type: 'object', properties, required: fields.filter((field) => field.required && field.name.trim()).map((field) => field.name.trim()) }
}

function property({ type, list, note }) {
  const words = note.split(',').map((word) => word.trim()).filter(Boolean)
  const one = type === 'enum' ? { type: 'string', enum: words.length ? words : ['…'] } : { type }
  const described = note && type !== 'enum' ? { description: note } : {}
  return list ? { type: 'array', items: one, ...described } : { ...one, ...described }
}

/** The table of a schema, null where it has more than a table shows. */
export function fieldsOf(text) {
  try {
    const schema = JSON.parse(text)
    const fields = Object.entries(schema.properties ?? {}).map(([name, given]) => field(name, given, schema.required ?? []))
    return JSON.stringify(schemaOf(fields)) === JSON.stringify(schema) ? fields : null
  } catch {
    return null
  }
}

function field(name, given, required) {
  const list = given.type === 'array'
  const one = list ? given.items : given
  const type = one.enum ? 'enum' : one.type
  return { name, type, list, required: required.includes(name), note: one.enum ? one.enum.join(', ') : (given.description ?? '') }
}
