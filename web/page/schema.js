/**
 * What people want to know of a JSON Schema: which fields there are, and what each may be. Pure.
 *
 * @module
 */

/** @typedef {Record<string, any>} Schema a schema, or a document with schemas in it */
/** @typedef {{path: string, type: string, required: boolean, description: string}} Field */

/** Objects in objects beyond this are only named. */
const DEPTH = 3;

/**
 * @param {Schema} schema
 * @param {Schema} root the document that its references point into
 * @returns {Schema} the schema itself; what stands beside a reference goes before what it refers to
 */
export function resolve(schema, root) {
  let found = schema;
  // A chain of references in a sane document is short; a circle ends here, too.
  for (let hops = 0; hops < 8 && typeof found.$ref === "string"; hops += 1) {
    const { $ref, ...beside } = found;
    found = { ...lookUp($ref, root), ...beside };
  }
  return found;
}

/**
 * @param {string} reference
 * @param {Schema} root
 * @returns {Schema}
 */
function lookUp(reference, root) {
  if (!reference.startsWith("#/")) return { title: reference.split("/").pop() };
  const keys = reference.slice(2).split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce((node, key) => node?.[key], root) ?? {};
}

/**
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {string} such as `integer, 1 to 100` or `array of string`
 */
export function typeOf(schema, root) {
  const found = resolve(schema, root);
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum !== undefined) return found.enum.map((/** @type {unknown} */ one) => JSON.stringify(one)).join(" | ");
  const choices = found.oneOf ?? found.anyOf;
  if (choices !== undefined) {
    return [...new Set(choices.map((/** @type {Schema} */ one) => typeOf(one, root)))].join(" or ");
  }
  if (found.type === "array") return `array of ${typeOf(found.items ?? found.prefixItems?.[0] ?? {}, root)}`;
  const name = [found.type ?? (found.properties || found.allOf ? "object" : "any")].flat().join(" or ");
  return name + bounds(found);
}

/** @param {Schema} schema */
function bounds({ minimum, maximum, maxLength }) {
  const small = [minimum, maximum].every((bound) => bound === undefined || Math.abs(bound) < 2 ** 53 - 1);
  if (!small) return "";
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum.toLocaleString("en")}`;
  if (maxLength !== undefined) return `, up to ${maxLength}`;
  return "";
}

/**
 * @param {Schema} schema of an object, or of a list of them
 * @param {Schema} root
 * @returns {Field[]} in the order of the schema; fields of inner objects as `outer.inner`, of a list's items as `list[].inner`
 */
export function fieldsOf(schema, root) {
  return collect(schema, root, "", 0);
}

/**
 * @param {Schema} schema
 * @param {Schema} root
 * @param {string} prefix
 * @param {number} depth
 * @returns {Field[]}
 */
function collect(schema, root, prefix, depth) {
  const found = resolve(schema, root);
  if (depth >= DEPTH) return [];
  if (found.type === "array") return collect(found.items ?? {}, root, prefix === "" ? "[]." : prefix, depth);
  const parts = (found.allOf ?? []).flatMap((/** @type {Schema} */ part) => collect(part, root, prefix, depth));
  const required = new Set(found.required ?? []);
  const own = Object.entries(found.properties ?? {}).flatMap(([name, property]) => {
    const inner = resolve(property, root);
    const path = prefix + name;
    const field = {
      path,
      type: typeOf(property, root) + preset(inner),
      required: required.has(name),
      description: inner.description ?? "",
    };
    return [field, ...collect(property, root, inner.type === "array" ? `${path}[].` : `${path}.`, depth + 1)];
  });
  return [...parts, ...own];
}

/** @param {Schema} schema */
const preset = (schema) => (schema.default === undefined ? "" : `, else ${JSON.stringify(schema.default)}`);

/**
 * @param {{schema?: Schema, example?: unknown, examples?: Record<string, any>}} holder a media type or a parameter
 * @returns {unknown} its first example; undefined where it has none
 */
export function exampleOf({ schema, example, examples }) {
  if (example !== undefined) return example;
  const [first] = Object.values(examples ?? {});
  return first?.value ?? first?.payload ?? schema?.example;
}

/**
 * @param {Schema} response of a problem
 * @param {Schema} root
 * @returns {string[]} the codes that it may carry
 */
export function codesOf(response, root) {
  const problem = resolve(response, root).content?.["application/problem+json"];
  if (problem === undefined) return [];
  const parts = [resolve(problem.schema ?? {}, root)].flatMap((part) => [part, ...(part.allOf ?? [])]);
  return parts.flatMap((part) => resolve(part, root).properties?.code?.enum ?? []);
}
