/** Builds the parts of the page as a package, `dist-package`, for applications with React. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

interface Manifest {
  version: string;
  license: string;
  dependencies: Record<string, string>;
}

const own = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as Manifest;

/** Versions of React that an application may bring. */
const REACT = ">=18.2";
/** What only the build of the page needs. */
const NOT_NEEDED = new Set(["react", "react-dom", "vite"]);

/** The `package.json` of the package, whose dependencies are those of the page. */
function manifest(): Plugin {
  const needed = Object.entries(own.dependencies).filter(([name]) => !NOT_NEEDED.has(name));
  const described = {
    name: "@chatd/react",
    version: own.version,
    description: "The chat of chatd: a React component, its parts, and a client without React.",
    license: own.license,
    type: "module",
    sideEffects: ["*.css"],
    exports: {
      ".": { types: "./types/index.d.ts", default: "./index.js" },
      "./client": { types: "./types/client.d.ts", default: "./client.js" },
      "./style.css": "./style.css",
    },
    peerDependencies: { react: REACT, "react-dom": REACT },
    dependencies: Object.fromEntries(needed),
  };
  return {
    name: "chatd-package-manifest",
    generateBundle() {
      this.emitFile({
        type: "asset",
        fileName: "package.json",
        source: `${JSON.stringify(described, undefined, 2)}\n`,
      });
    },
  };
}

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  publicDir: false,
  plugins: [manifest()],
  build: {
    outDir: process.env["CHATD_PACKAGE_OUT"] ?? "dist-package",
    emptyOutDir: true,
    target: "es2022",
    minify: false,
    cssCodeSplit: true,
    lib: {
      entry: { index: at("src/index.ts"), client: at("src/client.ts"), style: at("src/style.css") },
      formats: ["es"],
    },
    rolldownOptions: {
      // All packages are the application's own copies: two of React, or of CodeMirror, do not mix.
      external: /^[^./\0]/,
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "parts/[name].js",
        assetFileNames: "[name][extname]",
        // A bundler of an application with server components has to see it, and drops it here.
        banner: (chunk) => (chunk.name === "index" ? '"use client";' : ""),
      },
    },
  },
});
