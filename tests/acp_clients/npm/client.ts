// A client on the official TypeScript SDK: runs a script of steps against an agent, prints what happened.
//
//   node client.ts SCRIPT.json -- AGENT ARGS...
//
// SCRIPT.json: {"capabilities", "choose": option id for permissions, "buffers": {path: text},
// "steps": [[method, params] or ["notify", method, params] or ["wait", session update]]}; the string
// "$session" stands for the id that the last session/new answered with. Prints one JSON object.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";

const [scriptPath, , command, ...args] = process.argv.slice(2);
const script = JSON.parse(readFileSync(scriptPath, "utf8"));
const buffers: Record<string, string> = script.buffers ?? {};
const updates: any[] = [];
const asked: any[] = [];
const answers: any[] = [];
let arrived = () => {};

const agent = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
const stream = acp.ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout) as any);

const app = acp
  .client({ name: "punie-test-client" })
  .onNotification(acp.methods.client.session.update, ({ params }) => {
    updates.push(params.update);
    arrived();
  })
  .onRequest(acp.methods.client.session.requestPermission, ({ params }) => {
    asked.push(params);
    if (script.choose === "never") return new Promise(() => {});
    return { outcome: { outcome: "selected", optionId: script.choose } };
  })
  .onRequest(acp.methods.client.fs.readTextFile, ({ params }) => {
    if (!(params.path in buffers)) throw acp.RequestError.resourceNotFound(params.path);
    return { content: buffers[params.path] };
  })
  .onRequest(acp.methods.client.fs.writeTextFile, ({ params }) => {
    buffers[params.path] = params.content;
    return {};
  });

await app.connectWith(stream, async (context) => {
  let session = "";
  const filled = (value: unknown) =>
    JSON.parse(JSON.stringify(value ?? {}).replaceAll("$session", session));
  const start = {
    protocolVersion: 1,
    clientCapabilities: script.capabilities ?? {},
    clientInfo: { name: "punie-test-client", version: "1" },
  };
  answers.push(await context.request(acp.methods.agent.initialize, start));
  const waiting: Promise<unknown>[] = [];
  for (const [method, ...rest] of script.steps) {
    if (method === "notify") {
      await context.notify(rest[0], filled(rest[1]));
    } else if (method === "begin") {
      waiting.push(context.request<any>(rest[0], filled(rest[1])));
    } else if (method === "wait") {
      while (!updates.some((update) => update.sessionUpdate === rest[0]))
        await new Promise<void>((resolve) => (arrived = resolve));
    } else {
      try {
        const answer: any = await context.request<any>(method, filled(rest[0]));
        if (method === "session/new") session = answer.sessionId;
        answers.push(answer);
      } catch (error: any) {
        answers.push({ error: { code: error.code, message: error.message } });
      }
    }
  }
  answers.push(...(await Promise.all(waiting)));
});
agent.stdin.end();
console.log(JSON.stringify({ answers, updates, asked, buffers }));
process.exit(0);
