// Makes the calls of calls.json with OpenAI's own client, one after the other, and writes what each came to: a line of JSON.
// Arguments: the base URL and the key. The Go twin of this file is goclient.go.
import { readFileSync } from 'node:fs';
import OpenAI, { toFile } from 'openai';

const [baseURL, apiKey] = process.argv.slice(2);
const calls = JSON.parse(readFileSync(new URL('calls.json', import.meta.url), 'utf8'));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// bytes are what an attachment is made of.
const bytes = (n) => Buffer.from(Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8) * 7) & 255));

// expand replaces what stands for attachments in a body: @data:TYPE:SIZE and @base64:SIZE.
function expand(value) {
  if (typeof value === 'string' && value.startsWith('@data:')) {
    const [, type, size] = value.split(':');
    return `data:${type};base64,${bytes(Number(size)).toString('base64')}`;
  }
  if (typeof value === 'string' && value.startsWith('@base64:')) {
    return bytes(Number(value.split(':')[1])).toString('base64');
  }
  if (Array.isArray(value)) return value.map(expand);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, expand(v)]));
  }
  return value;
}

async function collect(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return { chunks };
}

async function until(get, ended) {
  for (;;) {
    const value = await get();
    if (ended.includes(value.status)) return value;
    await wait(20);
  }
}

const endedResponse = ['completed', 'failed', 'incomplete', 'cancelled'];
const endedBatch = ['completed', 'failed', 'expired', 'cancelled'];

const doing = {
  chat: (c, call, o) => c.chat.completions.create(call.body, o),
  'chat.stream': (c, call, o) => collect(c.chat.completions.create({ ...call.body, stream: true }, o)),
  'chat.abandon': async (c, call, o) => {
    let taken = 0;
    for await (const chunk of await c.chat.completions.create({ ...call.body, stream: true }, o)) {
      if (chunk.choices.length > 0 && ++taken === 3) break;
    }
    return { taken };
  },
  completions: (c, call, o) => c.completions.create(call.body, o),
  'completions.stream': (c, call, o) => collect(c.completions.create({ ...call.body, stream: true }, o)),
  embeddings: (c, call, o) => c.embeddings.create(call.body, o),
  responses: (c, call, o) => c.responses.create(call.body, o),
  'responses.stream': (c, call, o) => collect(c.responses.create({ ...call.body, stream: true }, o)),
  'responses.background': async (c, call, o) => {
    const { id } = await c.responses.create(call.body, o);
    return until(() => c.responses.retrieve(id), endedResponse);
  },
  // The second of two: a server may have begun the first, and be past canceling it.
  'responses.cancel': async (c, call, o) => {
    await c.responses.create(call.body, o);
    const { id } = await c.responses.create(call.body, o);
    await c.responses.cancel(id);
    return until(() => c.responses.retrieve(id), endedResponse);
  },
  'responses.retrieve': async (c, call, o) => {
    const { id } = await c.responses.create(call.body, o);
    return c.responses.retrieve(id);
  },
  'responses.unknown': (c, call, o) => c.responses.retrieve(call.id, {}, o),
  models: async (c, call, o) => {
    const all = [];
    for await (const m of c.models.list(o)) all.push(m);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  },
  'models.one': (c, call, o) => c.models.retrieve(call.id, o),
  files: async (c, call, o) => {
    const created = await c.files.create({ file: await toFile(Buffer.from(call.text), 'call.txt'), purpose: call.purpose }, o);
    const retrieved = await c.files.retrieve(created.id);
    const content = await (await c.files.content(created.id)).text();
    let listed = false;
    for await (const f of c.files.list()) listed ||= f.id === created.id;
    const deleted = await c.files.delete(created.id);
    return { created, retrieved, content, listed, deleted };
  },
  'files.unknown': (c, call, o) => c.files.retrieve(call.id, o),
  batches: async (c, call, o) => {
    const lines = call.lines.map((body, i) => JSON.stringify({ custom_id: `line-${i}`, method: 'POST', url: call.endpoint, body }));
    const file = await c.files.create({ file: await toFile(Buffer.from(lines.join('\n')), 'batch.jsonl'), purpose: 'batch' }, o);
    const { id } = await c.batches.create({ input_file_id: file.id, endpoint: call.endpoint, completion_window: '24h' });
    const batch = await until(() => c.batches.retrieve(id), endedBatch);
    const read = async (id) => {
      if (!id) return [];
      const text = await (await c.files.content(id)).text();
      return text.trim().split('\n').map((line) => JSON.parse(line)).sort((a, b) => (a.custom_id < b.custom_id ? -1 : 1));
    };
    return { batch, output: await read(batch.output_file_id), errors: await read(batch.error_file_id) };
  },
  'batches.unknown': (c, call, o) =>
    c.batches.create({ input_file_id: call.id, endpoint: '/v1/chat/completions', completion_window: '24h' }, o),
};

// failure says how a call failed; what is no failure of the call itself ends the program.
function failure(err) {
  if (err instanceof OpenAI.APIConnectionTimeoutError) return { error: 'timeout' };
  if (err instanceof OpenAI.APIUserAbortError) return { error: 'aborted' };
  if (err instanceof OpenAI.APIError && err.status) {
    const { type, param, code, error } = err;
    return { error: { status: err.status, type: type ?? '', param: param ?? '', code: code ?? '', message: error?.message ?? '' } };
  }
  throw err;
}

for (const call of calls) {
  const client = new OpenAI({ baseURL, apiKey: call.key ?? apiKey });
  const options = {};
  if (call.timeout_ms) Object.assign(options, { timeout: call.timeout_ms, maxRetries: 0 });
  if (call.abort_ms) options.signal = AbortSignal.timeout(call.abort_ms);
  let outcome;
  try {
    outcome = { value: await doing[call.do](client, { ...call, body: expand(call.body) }, options) };
  } catch (err) {
    outcome = failure(err);
  }
  process.stdout.write(JSON.stringify({ name: call.name, ...outcome }) + '\n');
}
