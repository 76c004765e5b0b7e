// Shows the OpenAPI document, and sends requests from it. No libraries, so that it works without a network.
const METHODS = ["get", "put", "post", "patch", "delete"];
const MAX_DEPTH = 6;

const element = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

const api = await (await fetch("/openapi.json")).json();
document.title = `${api.info.title} ${api.info.version}`;
document.getElementById("about").textContent = api.info.description ?? "";

const resolve = (schema) => {
  const name = schema?.$ref?.split("/").pop();
  return name ? (api.components.schemas[name] ?? {}) : (schema ?? {});
};

/** A value that fits the schema: its example where it has one. */
const example = (given, depth = 0) => {
  const schema = resolve(given);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  if (depth > MAX_DEPTH) return null;
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => example(part, depth + 1)));
  const choice = (schema.oneOf ?? schema.anyOf)?.find((part) => part.type !== "null");
  if (choice) return example(choice, depth + 1);
  const type = [schema.type].flat().find((name) => name !== "null");
  if (type === "array") return [example(schema.items, depth + 1)];
  if (type === "object" || schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, example(part, depth + 1)]));
  }
  return { string: "", integer: 0, number: 0, boolean: false }[type] ?? null;
};

const parametersOf = (operation) => {
  const rows = (operation.parameters ?? []).map((parameter) => {
    const input = element("input", { name: parameter.name, value: parameter.example ?? parameter.schema?.example ?? "" });
    input.dataset.in = parameter.in;
    input.setAttribute("aria-label", parameter.name);
    const name = element("code", { textContent: `${parameter.name}${parameter.required ? " *" : ""}` });
    return element("tr", {}, element("td", {}, name), element("td", { textContent: parameter.in }), element("td", {}, input), element("td", { textContent: parameter.description ?? "" }));
  });
  return element("table", {}, ...rows);
};

const send = async (method, path, form, body, answer) => {
  const headers = {};
  const query = new URLSearchParams();
  let url = path;
  for (const input of form.querySelectorAll("input[data-in]")) {
    if (input.value === "") continue;
    if (input.dataset.in === "path") url = url.replace(`{${input.name}}`, encodeURIComponent(input.value));
    if (input.dataset.in === "query") query.set(input.name, input.value);
    if (input.dataset.in === "header") headers[input.name] = input.value;
  }
  if (body) headers["content-type"] = "application/json";
  if (query.size) url += `?${query}`;
  answer.textContent = "…";
  try {
    const response = await fetch(url, { method: method.toUpperCase(), headers, body: body?.value });
    const text = response.headers.get("content-type")?.includes("json") ? JSON.stringify(await response.json(), null, 2) : await response.text();
    const shown = ["location", "etag", "retry-after"].filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}\n`);
    answer.textContent = `${response.status} ${response.statusText}\n${shown.join("")}\n${text}`;
  } catch (error) {
    answer.textContent = String(error);
  }
};

const fill = (details, method, path, operation) => {
  const form = element("form");
  if (operation.description) form.append(element("p", { textContent: operation.description }));
  if (operation.parameters?.length) form.append(parametersOf(operation));
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const body = schema && element("textarea", { value: JSON.stringify(example(schema), null, 2), spellcheck: false });
  if (body) {
    body.setAttribute("aria-label", "body");
    form.append(element("h4", { textContent: "Body" }), body);
  }
  const rows = Object.entries(operation.responses ?? {}).map(([status, response]) =>
    element("tr", {}, element("td", {}, element("code", { textContent: status })), element("td", { textContent: response.description ?? "" })));
  const answer = element("pre", { hidden: true });
  answer.setAttribute("role", "status");
  form.append(element("h4", { textContent: "Answers" }), element("table", {}, ...rows));
  if (path.endsWith("/events")) form.append(element("p", { textContent: "A stream of events; open it with curl -N." }));
  else form.append(element("button", { textContent: "Send" }), answer);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer.hidden = false;
    void send(method, path, form, body, answer);
  });
  details.append(form);
};

const groups = new Map();
for (const [path, item] of Object.entries(api.paths)) {
  for (const method of METHODS.filter((name) => item[name])) {
    const operation = item[method];
    const tag = operation.tags?.[0] ?? "other";
    const summary = element("summary", {}, element("b", { textContent: method.toUpperCase() }), element("code", { textContent: path }), ` ${operation.summary ?? ""}`);
    const details = element("details", {}, summary);
    details.addEventListener("toggle", () => fill(details, method, path, operation), { once: true });
    details.dataset.text = `${method} ${path} ${operation.summary ?? ""}`.toLowerCase();
    groups.set(tag, [...(groups.get(tag) ?? []), details]);
  }
}
const main = document.getElementById("operations");
const tags = (api.tags ?? []).map((tag) => tag.name);
const sections = [...groups].sort(([a], [b]) => tags.indexOf(a) - tags.indexOf(b));
for (const [tag, operations] of sections) main.append(element("section", {}, element("h2", { textContent: tag }), ...operations));

document.getElementById("find").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const details of main.querySelectorAll("details")) details.hidden = !words.every((word) => details.dataset.text.includes(word));
  for (const section of main.children) section.hidden = !section.querySelector("details:not([hidden])");
});
