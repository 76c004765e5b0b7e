// Checks what we build on, without a network: licences, sources, versions that are known bad or withdrawn, duplicates.
// What it covers and what not: docs/dependencies.md. The rules are in scripts/dependencies.json.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const rules = JSON.parse(readFileSync(join(root, "scripts/dependencies.json"), "utf8"));
const problems = [];
const notes = [];

/** Whether an SPDX expression can be met with these licences alone. */
const allowed = (expression, licences) => {
  const tokens = expression.replaceAll("/", " OR ").match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const either = () => {
    let met = both();
    while (tokens[at] === "OR") {
      at += 1;
      met = both() || met;
    }
    return met;
  };
  const both = () => {
    let met = one();
    while (tokens[at] === "AND") {
      at += 1;
      met = one() && met;
    }
    return met;
  };
  const one = () => {
    if (tokens[at] === "(") {
      at += 1;
      const met = either();
      at += 1;
      return met;
    }
    let name = tokens[at++];
    if (tokens[at] === "WITH") {
      name += ` WITH ${tokens[at + 1]}`;
      at += 2;
    }
    return licences.includes(name);
  };
  return tokens.length > 0 && either() && at === tokens.length;
};

const check = (kind, name, version, licence, isTool = false) => {
  const label = `${kind} ${name} ${version}`;
  const exception = rules.exceptions.find((e) => e.kind === kind && e.name === name);
  const licences = isTool ? [...rules.licences, ...rules.toolLicences] : rules.licences;
  if (!exception && !allowed(licence ?? "", licences)) problems.push(`${label}: licence ${licence ?? "unknown"} is not allowed`);
  const bad = rules.denied.find((d) => d.kind === kind && d.name === name && (d.versions ?? [version]).includes(version));
  if (bad) problems.push(`${label}: ${bad.reason}`);
};

/** Versions that were withdrawn, as far as cargo's own copy of the index knows. */
const withdrawn = () => {
  const base = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/index");
  const folders = (() => {
    try {
      return readdirSync(base).map((name) => join(base, name, ".cache"));
    } catch {
      return [];
    }
  })();
  const shard = (name) => (name.length < 4 ? join(String(name.length), name.length === 3 ? name[0] : "") : join(name.slice(0, 2), name.slice(2, 4)));
  return ({ name, version }) => {
    const texts = folders.flatMap((folder) => {
      try {
        return [readFileSync(join(folder, shard(name.toLowerCase()), name.toLowerCase()), "utf8")];
      } catch {
        return [];
      }
    });
    const entries = texts.flatMap((text) => text.split(/[\0\n]/)).filter((line) => line.startsWith("{"));
    const entry = entries.map((line) => JSON.parse(line)).find((e) => e.vers === version);
    return entry?.yanked;
  };
};

const cargo = () => {
  const text = execFileSync("cargo", ["metadata", "--format-version", "1", "--locked"], { cwd: root, maxBuffer: 1 << 28 });
  const { packages } = JSON.parse(text);
  const yanked = withdrawn();
  const versions = new Map();
  let unknown = 0;
  for (const p of packages) {
    check("crate", p.name, p.version, p.license);
    if (p.source === null) continue;
    if (!p.source.startsWith("registry+")) problems.push(`crate ${p.name} ${p.version}: comes from ${p.source}, not from a registry`);
    const state = yanked(p);
    if (state === undefined) unknown += 1;
    if (state) problems.push(`crate ${p.name} ${p.version}: was withdrawn (yanked) by its authors; run cargo update -p ${p.name}`);
    versions.set(p.name, [...(versions.get(p.name) ?? []), p.version]);
  }
  for (const [name, all] of versions) {
    if (all.length > 1 && !rules.duplicates.includes(name)) notes.push(`crate ${name} is there ${all.length} times: ${all.join(", ")}`);
  }
  if (unknown > 0) notes.push(`for ${unknown} crates cargo's copy of the index does not say whether they were withdrawn`);
  return packages.length;
};

const npm = () => {
  const { packages } = JSON.parse(readFileSync(join(root, "web/package-lock.json"), "utf8"));
  const entries = Object.entries(packages).filter(([path]) => path !== "");
  for (const [path, p] of entries) {
    const name = p.name ?? path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    check("npm", name, p.version, p.license, p.dev === true || p.devOptional === true);
    if (!p.integrity) problems.push(`npm ${name} ${p.version}: the lock file has no digest for it`);
    if (p.hasInstallScript && !rules.installScripts.includes(name)) problems.push(`npm ${name} ${p.version}: wants to run a script when it is installed`);
  }
  return entries.length;
};

const [crates, modules] = [cargo(), npm()];
for (const note of notes) console.log(`note: ${note}`);
for (const problem of problems) console.error(`PROBLEM ${problem}`);
console.log(`${crates} crates and ${modules} npm packages: ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
