// The calls of @google/genai and of openai, unchanged, against a server without a model.
//
//     POLLUX_URL=http://127.0.0.1:8000 NODE_PATH=…/node_modules node clients.mjs
//
// The stand-in answers with the question's own words. Each line that is printed is a call that went well; the first that does not
// ends the run.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { writeFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const { GoogleGenAI, Modality } = require("@google/genai");
const OpenAI = require("openai").default;
const url = process.env.POLLUX_URL;

const google = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: url } });
const openai = new OpenAI({ apiKey: "k", baseURL: `${url}/v1beta/openai`, maxRetries: 0 });

const said = [];
const check = async (name, call) => {
  await call();
  said.push(name);
  console.log(name);
};

const collect = async (stream, text) => {
  let whole = "";
  for await (const chunk of stream) whole += text(chunk) ?? "";
  return whole;
};

const throws = async (call, status) => {
  const error = await call().then(() => assert.fail("no error"), (error) => error);
  assert.equal(error.status ?? error.statusCode, status, String(error));
};

await check("models", async () => {
  const names = [];
  for await (const model of await google.models.list()) names.push(model.name);
  assert.deepEqual(names, ["models/stub"]);
  await throws(() => google.models.generateContent({ model: "nobody", contents: "x" }), 404);
});

await check("generate", async () => {
  const reply = await google.models.generateContent({ model: "stub", contents: "Where is the lamp?" });
  assert.equal(reply.text, "Where is the lamp?");
  const stream = await google.models.generateContentStream({ model: "stub", contents: "Where is the lamp?" });
  assert.equal(await collect(stream, (chunk) => chunk.text), "Where is the lamp?");
});

await check("chat", async () => {
  const chat = google.chats.create({ model: "stub" });
  const stream = await chat.sendMessageStream({ message: "One two" });
  assert.equal(await collect(stream, (chunk) => chunk.text), "One two");
  assert.equal((await chat.sendMessage({ message: "Three?" })).text, "Three?");
});

await check("files", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "pollux-")), "quay.txt");
  writeFileSync(path, "It rained on the quay.");
  const file = await google.files.upload({ file: path, config: { mimeType: "text/plain", displayName: "quay.txt" } });
  const part = { fileData: { fileUri: file.uri, mimeType: file.mimeType } };
  const reply = await google.models.generateContent({ model: "stub", contents: [part, "What fell?"] });
  assert.equal(reply.candidates[0].groundingMetadata.groundingChunks[0].retrievedContext.title, "quay.txt");
  await google.files.delete({ name: file.name });
});

await check("interactions", async () => {
  const first = await google.interactions.create({ model: "stub", input: "Where is the lamp?" });
  assert.equal(first.status, "completed");
  assert.equal(first.steps.at(-1).content[0].text, "Where is the lamp?");
  const stream = await google.interactions.create({
    model: "stub", input: "one two three", previous_interaction_id: first.id, stream: true,
  });
  const events = [];
  for await (const event of stream) events.push(event);
  const deltas = events.filter((event) => event.event_type === "step.delta" && event.delta.type === "text");
  assert.equal(deltas.map((event) => event.delta.text).join(""), "one two three");
  assert.equal(events.at(-1).event_type, "interaction.completed");
  const id = events[0].interaction.id;
  const again = await google.interactions.get(id, { stream: true, last_event_id: deltas[0].event_id });
  assert.equal(await collect(again, (event) => event.delta?.text), " two three");
  await google.interactions.delete(id);
  await throws(() => google.interactions.get(id), 404);
});

const live = async (client, model) => {
  const messages = [];
  let tell;
  const closed = new Promise((resolve) => { tell = resolve; });
  let complete;
  const turn = new Promise((resolve) => { complete = resolve; });
  const session = await client.live.connect({
    model,
    config: { responseModalities: [Modality.TEXT] },
    callbacks: {
      onmessage: (message) => {
        messages.push(message);
        if (message.serverContent?.turnComplete) complete();
      },
      onclose: (event) => { tell(event); complete(); },
    },
  });
  session.sendClientContent({ turns: [{ role: "user", parts: [{ text: "Hello you there" }] }], turnComplete: true });
  await turn;
  session.close();
  await closed;
  return messages;
};

await check("live", async () => {
  const messages = await live(google, "stub");
  const text = messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []).map((part) => part.text).join("");
  assert.equal(text, "Hello you there");
  assert.equal(messages.at(-1).usageMetadata.responseTokenCount > 0, true);
});

await check("tokens", async () => {
  const alpha = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: url, apiVersion: "v1alpha" } });
  const token = await alpha.authTokens.create({ config: { uses: 1 } });
  const held = new GoogleGenAI({ apiKey: token.name, httpOptions: { baseUrl: url, apiVersion: "v1alpha" } });
  const messages = await live(held, "stub");
  assert.equal(messages.at(-1).serverContent.turnComplete, true);
});

const messages = [{ role: "user", content: "Where is the lamp?" }];

await check("openai chat", async () => {
  const reply = await openai.chat.completions.create({ model: "stub", messages });
  assert.equal(reply.choices[0].message.content, "Where is the lamp?");
  const stream = await openai.chat.completions.create({ model: "stub", messages, stream: true });
  assert.equal(await collect(stream, (chunk) => chunk.choices[0]?.delta?.content), "Where is the lamp?");
  await throws(() => openai.chat.completions.create({ model: "nobody", messages }), 404);
});

await check("openai tools", async () => {
  const parameters = { type: "object", properties: { n: { type: "integer", enum: [7] } }, required: ["n"], additionalProperties: false };
  const tools = [{ type: "function", function: { name: "count", description: "Counts.", parameters } }];
  const reply = await openai.chat.completions.create({ model: "stub", messages, tools, tool_choice: "required" });
  const [call] = reply.choices[0].message.tool_calls;
  assert.equal(call.function.name, "count");
  assert.deepEqual(JSON.parse(call.function.arguments), { n: 7 });
});

await check("openai embeddings", async () => {
  const reply = await openai.embeddings.create({ model: "stub", input: ["a", "b"], dimensions: 8 });
  assert.equal(reply.data[1].embedding.length, 8);
});

console.log(`${said.length} calls`);
