// Starts fauxqs on a free port of the loopback interface, prints its address, and ends when standard input does: with
// whoever started it, however that one ends.
import { isBuiltin, register } from "node:module";

// fauxqs keeps queues in SQLite when it is asked to, which it is not here, and loads node:sqlite all the same. Node has that
// from 22.5 on: an older one gets a name to load.
if (!isBuiltin("node:sqlite")) {
  const hook = `export function resolve(name, context, next) {
    return name === "node:sqlite"
      ? { url: "data:text/javascript,export class DatabaseSync {}", shortCircuit: true }
      : next(name, context);
  }`;
  register("data:text/javascript," + encodeURIComponent(hook));
}
const { buildApp } = await import("fauxqs");

// SQS takes U+10000 and above in a body, as its reference says; fauxqs does not.
const { INVALID_MESSAGE_BODY_CHAR: refused } = await import("./node_modules/fauxqs/dist/sqs/sqsTypes.js");
refused.compile("[^\\t\\n\\r\\x20-\\uD7FF\\uE000-\\uFFFD\\u{10000}-\\u{10FFFF}]", "u");

process.stdin.resume().on("end", () => process.exit(0));
console.log(await buildApp({ logger: false }).listen({ port: 0, host: "127.0.0.1" }));
