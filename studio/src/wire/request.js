// A prompt as the body of a request. The same body is sent, counted, and shown as code.

/**
 * @param prompt  model, system, config, cache (see state/prompt.svelte.js)
 * @param turns   [{role, parts}], the question last
 */
export function body(prompt, turns) {
  const { system, config, cache } = prompt
  const out = { contents: contents(turns, cache) }
  if (cache) out.cachedContent = cache.name
  if (system.trim() && !cache) out.systemInstruction = { parts: [{ text: system }] }
  const functions = declarations(config)
  if (functions.length && !cache) {
    out.tools = [{ functionDeclarations: functions }]
    out.toolConfig = { functionCallingConfig: { mode: config.functions.mode } }
  }
  const settings = generation(config)
  if (Object.keys(settings).length) out.generationConfig = settings
  return out
}

/** What a cache is made of: system instruction, functions, and the material so far. */
export function cacheBody(prompt, files, { ttl, title }) {
  const functions = declarations(prompt.config)
  return {
    model: prompt.model,
    displayName: title,
    ttl,
    ...(prompt.system.trim() && { systemInstruction: { parts: [{ text: prompt.system }] } }),
    ...(functions.length && { tools: [{ functionDeclarations: functions }] }),
    contents: [{ role: 'user', parts: files.map(filePart) }],
  }
}

export const filePart = (file) => ({ fileData: { fileUri: file.uri, mimeType: file.mime } })

function contents(turns, cache) {
  const kept = new Set(cache?.files?.map((file) => file.name))
  const parts = (turn) => turn.parts.filter((part) => !(part.file && kept.has(part.file.name))).map(wirePart).filter(Boolean)
  return turns.map((turn) => ({ role: turn.role, parts: parts(turn) })).filter((content) => content.parts.length)
}

function wirePart(part) {
  if (part.file) return filePart(part.file)
  if (part.functionCall) return { functionCall: part.functionCall, ...(part.thoughtSignature && { thoughtSignature: part.thoughtSignature }) }
  if (part.functionResponse) return { functionResponse: part.functionResponse }
  return part.text ? { text: part.text } : null
}

function generation(config) {
  const out = {}
  for (const name of ['temperature', 'topP', 'topK', 'maxOutputTokens', 'seed', 'mediaResolution'])
    if (config[name] !== null && config[name] !== undefined && config[name] !== '') out[name] = config[name]
  if (config.stop.length) out.stopSequences = [...config.stop]
  if (config.json.on) {
    out.responseMimeType = 'application/json'
    const schema = parsed(config.json.schema)
    if (schema) out.responseJsonSchema = schema
  }
  return out
}

export function declarations(config) {
  if (!config.functions.on) return []
  const found = parsed(config.functions.text)
  return Array.isArray(found) ? found : found ? [found] : []
}

export function parsed(text) {
  try {
    return text.trim() ? JSON.parse(text) : null
  } catch {
    return null
  }
}

/** What countTokens is asked for the same prompt: the whole request, so that the number is exact. */
export const counted = (prompt, turns) => ({ generateContentRequest: { model: prompt.model, ...body(prompt, turns) } })
