// The interactive reference: reads the OpenAPI document, shows every operation, and sends requests to this installation.
// Whatever comes from the document or an answer is set as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH = 5;
const SHOWN = 200000;
let spec = {};
let session = null;

const byId = (id) => document.getElementById(id);

function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Words with `code` in them.
function words(text) {
  const parts = String(text || "").split("`");
  return parts.map((part, place) => (place % 2 ? make("code", { text: part }) : document.createTextNode(part)));
}

function resolve(schema) {
  const seen = new Set();
  while (schema && schema.$ref && !seen.has(schema.$ref)) {
    seen.add(schema.$ref);
    const name = schema.$ref.split("/").pop();
    schema = { title: name, ...(spec.components.schemas[name] || {}) };
  }
  return schema || {};
}

// A schema with the parts of `allOf` put together, and without the alternative that it is absent.
function whole(given) {
  let schema = resolve(given);
  const some = (schema.oneOf || schema.anyOf || []).filter((one) => one.type !== "null");
  if (some.length === 1) schema = { ...whole(some[0]), description: schema.description };
  if (!schema.allOf) return schema;
  const merged = { ...schema, type: "object", properties: { ...schema.properties }, required: [...(schema.required || [])] };
  for (const part of schema.allOf.map(whole)) {
    Object.assign(merged.properties, part.properties);
    merged.required.push(...(part.required || []));
    merged.description = merged.description || part.description;
  }
  return merged;
}

function types(schema) {
  return [].concat(schema.type || []).filter((type) => type !== "null");
}

function kind(given) {
  const schema = whole(given);
  const type = types(schema)[0];
  let text = type || "anything";
  if (schema.enum) text = schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  else if (type === "array") text = `list of ${kind(schema.items || {})}`;
  else if (schema.oneOf || schema.anyOf) text = (schema.oneOf || schema.anyOf).map(kind).join(" or ");
  else if (schema.format) text = `${type}, ${schema.format}`;
  const limits = [["minimum", "from"], ["maximum", "to"], ["minLength", "at least"], ["maxLength", "at most"]];
  for (const [name, said] of limits) if (schema[name] !== undefined) text += `, ${said} ${schema[name]}`;
  return text;
}

// A value of this shape, for people to change.
function example(given, depth = 0) {
  const schema = whole(given);
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const choices = schema.oneOf || schema.anyOf;
  if (choices && !schema.properties) return depth > DEPTH ? null : example(choices[0], depth + 1);
  switch (types(schema)[0]) {
    case "integer":
    case "number": return schema.minimum || 0;
    case "boolean": return false;
    case "array": return depth > DEPTH || !schema.items ? [] : [example(schema.items, depth + 1)];
    case "string": return schema.format === "date-time" ? "2026-01-31T12:00:00Z" : "";
    default: break;
  }
  if (!schema.properties || depth > DEPTH) return {};
  const value = {};
  const needed = schema.required || [];
  for (const [name, property] of Object.entries(schema.properties)) {
    if (needed.length === 0 || needed.includes(name)) value[name] = example(property, depth + 1);
  }
  return value;
}

// `always` says of a field that it is there whatever happens: of what is sent, that it must be.
function shape(given, always, depth = 0) {
  const schema = whole(given);
  const inner = types(schema)[0] === "array" ? whole(schema.items || {}) : schema;
  const extra = inner.additionalProperties && typeof inner.additionalProperties === "object" ? inner.additionalProperties : null;
  const entries = Object.entries(inner.properties || {});
  if (extra) entries.push(["any name", extra]);
  if (entries.length === 0 || depth > DEPTH) return null;
  const list = make("ul", { class: "schema" });
  for (const [name, property] of entries) {
    const item = make("li", {}, make("code", { text: name }), " ", make("span", { class: "kind", text: kind(property) }));
    if ((inner.required || []).includes(name)) item.append(" ", make("span", { class: "needed", text: always }));
    const about = (property.description || whole(property).description || "").trim();
    if (about) item.append(make("div", {}, ...words(about)));
    const nested = shape(property, always, depth + 1);
    if (nested) item.append(nested);
    list.append(item);
  }
  return list;
}

function parameters(operation) {
  const rows = (operation.parameters || []).map((one) =>
    make("tr", {},
      make("td", {}, make("code", { text: one.name }), one.required ? make("span", { class: "needed", text: " needed" }) : null),
      make("td", { text: one.in }),
      make("td", { text: kind(one.schema || {}) }),
      make("td", {}, ...words(one.description))));
  if (rows.length === 0) return null;
  const head = make("tr", {}, ...["Name", "Where", "Kind", "Meaning"].map((text) => make("th", { scope: "col", text })));
  return make("div", { class: "wide" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

function answers(operation) {
  const list = make("ul", { class: "schema" });
  for (const [status, given] of Object.entries(operation.responses || {})) {
    const item = make("li", {}, make("code", { text: status }), " ", ...words(given.description));
    const [type, content] = Object.entries(given.content || {})[0] || [];
    if (content && status.startsWith("2")) {
      item.append(" ", make("span", { class: "kind", text: type }));
      const body = shape(content.schema || {}, "always");
      if (body) item.append(body);
    }
    list.append(item);
  }
  return list;
}

function body(operation) {
  const content = operation.requestBody && operation.requestBody.content;
  if (!content) return null;
  const [type, media] = Object.entries(content)[0];
  return { type, schema: media.schema || {} };
}

function sender(method, path, operation, id) {
  const fields = make("div", { class: "fields" });
  const inputs = (operation.parameters || []).map((one) => {
    const name = `${id}-${one.in}-${one.name}`;
    const input = make("input", { id: name, autocomplete: "off", spellcheck: "false", required: one.required && one.in === "path" });
    fields.append(make("label", { for: name, text: one.name }, input));
    return { one, input };
  });
  const sent = body(operation);
  let text = null;
  if (sent) {
    const value = sent.type === "application/json" ? JSON.stringify(example(sent.schema), null, 2) : "";
    text = make("textarea", { id: `${id}-body`, spellcheck: "false" });
    text.value = value;
  }
  const button = make("button", { type: "submit", text: "Send" });
  const result = make("div", { role: "status", "aria-live": "polite" });
  const form = make("form", {}, make("h3", { text: "Try it" }), fields,
    text ? make("label", { for: `${id}-body`, text: `Body, ${sent.type}` }, text) : null, button, result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await send(method, path, inputs, sent && text.value.trim() ? { type: sent.type, text: text.value } : null, result);
    } catch (error) {
      result.replaceChildren(make("p", { class: "fault", text: `It could not be sent: ${error.message}` }));
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

async function send(method, path, inputs, sent, result) {
  const query = new URLSearchParams();
  const headers = { accept: "application/json, text/event-stream, text/csv" };
  let address = path;
  for (const { one, input } of inputs) {
    if (input.value === "") continue;
    if (one.in === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(input.value));
    else if (one.in === "query") query.append(one.name, input.value);
    else if (one.in === "header") headers[one.name] = input.value;
  }
  if (query.size > 0) address += `?${query}`;
  const key = byId("key").value.trim();
  if (byId("tenant").value.trim()) headers["millrace-tenant"] = byId("tenant").value.trim();
  if (key) headers.authorization = `Bearer ${key}`;
  else if (session && method !== "get") headers["millrace-csrf"] = session.csrf;
  if (sent) headers["content-type"] = sent.type;
  const given = { method: method.toUpperCase(), headers, credentials: key ? "omit" : "same-origin", cache: "no-store" };
  if (sent) given.body = sent.text;
  const started = performance.now();
  const answer = await fetch(address, given);
  const took = Math.round(performance.now() - started);
  const type = (answer.headers.get("content-type") || "").split(";")[0];
  const shown = make("pre", { tabindex: "0" });
  result.replaceChildren(
    make("p", {}, make("strong", { text: `${answer.status} ${answer.statusText}` }), ` in ${took} ms, `,
      make("code", { text: answer.headers.get("x-request-id") || "" })),
    make("p", { class: "kind", text: `${given.method} ${address}` }), shown);
  if (type === "text/event-stream") await follow(answer, shown, result);
  else show(shown, await answer.text(), type);
  if (path.endsWith("/session")) await who();
}

function show(place, text, type) {
  let clear = text;
  if (type.endsWith("json") && text) {
    try {
      clear = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      clear = text;
    }
  }
  place.textContent = clear.length > SHOWN ? `${clear.slice(0, SHOWN)}\n… ${clear.length - SHOWN} further characters` : clear || "(no body)";
}

// A stream has no end: it is shown as it comes, until it is stopped.
async function follow(answer, place, result) {
  const reader = answer.body.getReader();
  const stop = make("button", { type: "button", text: "Stop listening", onclick: () => reader.cancel() });
  result.append(stop);
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    place.textContent = (place.textContent + decoder.decode(value, { stream: true })).slice(-SHOWN);
  }
  stop.remove();
}

function operation(method, path, given) {
  const id = given.operationId;
  const inside = make("div", { class: "inside" });
  const node = make("details", { class: "operation", id },
    make("summary", {}, make("span", { class: `method ${method}`, text: method.toUpperCase() }),
      make("span", { class: "path", text: path }), make("span", { class: "summary", text: given.summary || "" })), inside);
  // Filled when it is opened: a hundred forms at once would make the page slow.
  node.addEventListener("toggle", () => {
    if (!node.open || inside.childElementCount > 0) return;
    const sent = body(given);
    inside.append(make("p", {}, ...words(given.description || given.summary)));
    const table = parameters(given);
    if (table) inside.append(make("h3", { text: "Parameters" }), table);
    if (sent) {
      const tree = shape(sent.schema, "needed");
      inside.append(make("h3", { text: `Body, ${sent.type}` }), tree || make("p", { text: kind(sent.schema) }));
    }
    inside.append(make("h3", { text: "Answers" }), answers(given), sender(method, path, given, id));
  });
  return node;
}

function build() {
  byId("about").replaceChildren(...words(spec.info.description));
  const groups = new Map((spec.tags || []).map((tag) => [tag.name, { about: tag.description, operations: [] }]));
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const method of METHODS.filter((one) => methods[one])) {
      const tag = (methods[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, { about: "", operations: [] });
      groups.get(tag).operations.push({ method, path, given: methods[method] });
    }
  }
  for (const [tag, group] of groups) {
    if (group.operations.length === 0) continue;
    const links = make("ul");
    const section = make("section", {}, make("h2", { text: tag }), make("p", {}, ...words(group.about)));
    for (const { method, path, given } of group.operations) {
      const node = operation(method, path, given);
      section.append(node);
      const open = () => { node.open = true; };
      const link = make("a", { href: `#${given.operationId}`, text: given.summary || given.operationId, onclick: open });
      const item = make("li", {}, link);
      const searched = `${method} ${path} ${given.operationId} ${given.summary} ${given.description}`.toLowerCase();
      byId("filter").addEventListener("input", (event) => {
        const hidden = !searched.includes(event.target.value.trim().toLowerCase());
        node.hidden = hidden;
        item.hidden = hidden;
        section.hidden = !section.querySelector("details:not([hidden])");
        links.parentElement.hidden = section.hidden;
      });
      links.append(item);
    }
    byId("contents").append(make("li", {}, make("strong", { text: tag }), links));
    byId("operations").append(section);
  }
  const wanted = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (wanted && wanted.tagName === "DETAILS") {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

// Whether this browser has signed in: then it needs no key.
async function who() {
  const answer = await fetch("/api/v1/session", { cache: "no-store" }).catch(() => null);
  session = answer && answer.ok ? await answer.json() : null;
  byId("identity").textContent = session
    ? "This browser has signed in; without a key, requests are sent as you."
    : "Nobody has signed in with this browser; give a key to send requests.";
}

async function start() {
  try {
    const answer = await fetch("/api/docs/openapi.json");
    if (!answer.ok) throw new Error(`the document was answered with ${answer.status}`);
    spec = await answer.json();
    build();
  } catch (error) {
    byId("about").replaceChildren(make("span", { class: "fault", text: `The reference cannot be shown: ${error.message}` }));
  }
  await who();
}

start();
