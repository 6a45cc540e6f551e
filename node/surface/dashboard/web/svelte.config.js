// How .svelte files are compiled: runes everywhere, styles in files of their own (the policy allows no inline style).
export default {
  compilerOptions: { runes: true, css: "external" },
};
