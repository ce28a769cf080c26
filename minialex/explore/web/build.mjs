// Joins the modules into ../explorer.js: `npm ci && npm run build`. The first line of it names what it is made of.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const folders = [".", "engine", "steps", "view"];
const modules = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".js"))
    .map((name) => `${folder}/${name}`),
);
const sum = createHash("sha256");
for (const name of modules.sort()) sum.update(`${name}\n${readFileSync(name, "utf8")}`);
await build({
  entryPoints: ["main.js"],
  outfile: "../explorer.js",
  bundle: true,
  charset: "utf8",
  format: "iife",
  target: "es2022",
  banner: { js: `// Made of the modules in web/ by npm run build there; their SHA-256 is ${sum.digest("hex")}` },
});
