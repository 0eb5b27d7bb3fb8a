/**
 * The page at `/docs`: openapi.json and asyncapi.json, laid out to be read.
 *
 * @module
 */

import { codesOf, exampleOf, fieldsOf, resolve, typeOf } from "./page/schema.js";

/** @typedef {import("./page/schema.js").Schema} Schema */

const TIMEOUT_MS = 8000;
const METHODS = ["get", "put", "post", "patch", "delete"];

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const contents = /** @type {HTMLElement} */ (document.getElementById("contents"));
const loading = /** @type {HTMLElement} */ (document.getElementById("loading"));

/**
 * @param {string} tag
 * @param {string} name of the class
 * @param {(Node | string)[]} children text stays text
 */
function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name !== "") element.className = name;
  element.append(...children);
  return element;
}

/**
 * Prose of the documents: blank lines part paragraphs, backticks mark code.
 * @param {string | undefined} text
 */
function prose(text) {
  return (text ?? "").split(/\n\n+/).filter(Boolean).map((paragraph) => make("p", "", ...inline(paragraph)));
}

/** @param {string} text */
const inline = (text) => text.split("`").map((part, index) => (index % 2 === 1 ? make("code", "", part) : part));

/**
 * @param {string} label
 * @param {unknown} value
 */
function sample(label, value) {
  const text = typeof value === "string" ? value : layOut(value, "");
  return make("figure", "sample", make("figcaption", "", label), make("pre", "", make("code", "", text)));
}

/**
 * JSON with short lists and objects kept on one line.
 * @param {unknown} value
 * @param {string} indent
 * @returns {string}
 */
function layOut(value, indent) {
  const flat = JSON.stringify(value);
  if (value === null || typeof value !== "object" || flat.length + indent.length < 46) {
    return flat.replaceAll(/("(?:[^"\\]|\\.)*")|([:,])/g, (_, text, mark) => text ?? `${mark} `);
  }
  const inner = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((one) => inner + layOut(one, inner))
    : Object.entries(value).map(([key, one]) => `${inner}${JSON.stringify(key)}: ${layOut(one, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

/**
 * @param {string} heading
 * @param {import("./page/schema.js").Field[]} fields
 */
function fieldList(heading, fields) {
  if (fields.length === 0) return [];
  const rows = fields.flatMap(({ path, type, required, description }) => [
    make("dt", "", make("code", "", path), ...(required ? [" ", make("span", "needed", "required")] : [])),
    make("dd", "", make("span", "type", type), ...(description ? [make("span", "", ...inline(description))] : [])),
  ]);
  return [make("h4", "", heading), make("dl", "fields", ...rows)];
}

/**
 * @param {Schema} operation
 * @param {Schema} path its parameters count for every operation
 * @param {Schema} root
 */
function parameters(operation, path, root) {
  const all = [...(path.parameters ?? []), ...(operation.parameters ?? [])].map((one) => resolve(one, root));
  const fields = all.map(({ name, in: place, schema = {}, required = false, description = "" }) => ({
    path: name,
    type: `${place}, ${typeOf(schema, root)}${schema.default === undefined ? "" : `, else ${schema.default}`}`,
    required: required && place !== "path",
    description,
  }));
  return fieldList("Parameters", fields);
}

/**
 * @param {Schema} responses
 * @param {Schema} root
 */
function answers(responses, root) {
  const rows = Object.entries(responses).flatMap(([status, response]) => {
    const found = resolve(response, root);
    const codes = codesOf(found, root).flatMap((code) => [" ", make("code", "code", code)]);
    return [make("dt", "", status), make("dd", "", ...inline(found.description ?? ""), ...codes)];
  });
  return [make("h4", "", "Answers"), make("dl", "answers", ...rows)];
}

/** @param {Schema | undefined} content */
const json = (content) => content?.["application/json"];

/**
 * @param {string} path
 * @param {string} method
 * @param {Schema} item
 * @param {Schema} root
 */
function operation(path, method, item, root) {
  const it = item[method];
  const body = resolve(it.requestBody ?? {}, root);
  const taken = json(body.content);
  const given = Object.entries(it.responses).filter(([status]) => status.startsWith("2"));
  const answer = given.map(([, response]) => json(resolve(response, root).content)).find(Boolean);
  const left = make("div", "text", ...prose(it.description), ...parameters(it, item, root));
  if (taken?.schema) left.append(...fieldList("Body", fieldsOf(taken.schema, root)));
  left.append(...answers(it.responses, root));
  const samples = [
    ...(taken && exampleOf(taken) !== undefined ? [sample("Request", exampleOf(taken))] : []),
    ...(answer && exampleOf(answer) !== undefined ? [sample("Answer", exampleOf(answer))] : []),
  ];
  const address = make("p", "address", make("span", `method ${method}`, method.toUpperCase()), " ", make("code", "", path));
  return make("article", "", make("h3", "", it.summary ?? path), address, make("div", "pair", left, make("div", "samples", ...samples)));
}

/**
 * @param {string} title
 * @param {(Node | string)[]} children
 */
function section(title, ...children) {
  const id = title.toLowerCase().replaceAll(/\W+/g, "-");
  const heading = make("h2", "", title);
  const whole = make("section", "", heading, ...children);
  whole.id = id;
  const link = /** @type {HTMLAnchorElement} */ (make("a", "", title));
  link.href = `#${id}`;
  contents.append(link);
  return whole;
}

/** @param {string} text */
const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {Schema} root */
function rest(root) {
  const all = Object.entries(root.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, item })),
  );
  return root.tags.map((/** @type {Schema} */ tag) =>
    section(
      capitalised(tag.name),
      ...prose(tag.description),
      ...all
        .filter(({ method, item }) => item[method].tags?.[0] === tag.name)
        .map(({ path, method, item }) => operation(path, method, item, root)),
    ),
  );
}

/** @param {Schema} root */
function live(root) {
  const channel = resolve(Object.values(root.channels)[0], root);
  const received = new Set(
    Object.values(root.operations)
      .filter(({ action }) => action === "receive")
      .flatMap(({ messages }) => messages.map((/** @type {Schema} */ one) => one.$ref.split("/").pop())),
  );
  const messages = Object.entries(channel.messages).map(([name, reference]) => {
    const message = resolve(resolve(reference, root), root);
    const left = make("div", "text", ...prose(message.description), ...fieldList("Fields", fieldsOf(message.payload, root)));
    const address = make("p", "address", make("span", "method", received.has(name) ? "YOU SAY" : "YOU HEAR"), " ", make("code", "", name));
    const samples = (message.examples ?? []).map((/** @type {Schema} */ one) => sample("Message", one.payload));
    return make("article", "", make("h3", "", message.title ?? name), address, make("div", "pair", left, make("div", "samples", ...samples)));
  });
  const closes = (root["x-close-codes"] ?? []).flatMap((/** @type {Schema} */ { code, reason, comeBack }) => [
    make("dt", "", String(code)),
    make("dd", "", `${capitalised(reason)}. ${comeBack ? "Come back." : "Do not come back."}`),
  ]);
  const codes = Object.entries(root["x-error-codes"] ?? {}).flatMap(([code, meaning]) => [
    make("dt", "", make("code", "", code)),
    make("dd", "", ...inline(String(meaning))),
  ]);
  return section(
    "Live",
    make("p", "address", make("span", "method", "WS"), " ", make("code", "", channel.address)),
    ...prose(root.info.description),
    ...messages,
    make("article", "", make("h3", "", "Error codes"), make("dl", "answers wide", ...codes)),
    make("article", "", make("h3", "", "Close codes"), make("dl", "answers", ...closes)),
  );
}

/** @param {string} path */
async function load(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function start() {
  try {
    const [openapi, asyncapi] = await Promise.all([load("/openapi.json"), load("/asyncapi.json")]);
    main.append(make("div", "intro", ...prose(openapi.info.description)), ...rest(openapi), live(asyncapi));
    loading.remove();
  } catch {
    loading.textContent = "The documents cannot be read now. Load this page again in a moment.";
    return;
  }
  // The part that the address names has only just come to be.
  if (location.hash !== "") document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

start();
