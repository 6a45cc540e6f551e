#!/usr/bin/env bash
# Makes: Debian's Chromium, the npm package playwright-core that drives it and axe-core that finds what keeps people from
# using a page; checks browser and driver by a picture of a page. For tests and pictures of the documentation only.
# About 40 s the first time.
# Prints (--print): the browser, then the folder of playwright-core.
# shellcheck source-path=SCRIPTDIR source=../../dockerfiles/setup/lib.sh
. "$(dirname "$0")/../../dockerfiles/setup/lib.sh"

version=1.65.1
axe=4.14.1
chromium=/usr/bin/chromium
modules=$CACHE/staging/playwright-$version
print_result() { printf '%s\n' "$chromium" "$modules/node_modules/playwright-core"; }
begin browser "$@"

export_paths() {
  put_env IKIGAI_CHROMIUM "$chromium"
  put_env IKIGAI_PLAYWRIGHT "$modules/node_modules/playwright-core"
  put_env IKIGAI_AXE "$modules/node_modules/axe-core/axe.min.js"
}
key=$(hash_text 2 $version $axe)
if is_done "$key" && [[ -x $chromium && -f $modules/node_modules/axe-core/axe.min.js ]]; then
  export_paths
  say "browser is there"
  exit 0
fi

say "Chromium and playwright-core $version, about 40 s …"
need_program npm "get Node 20 or newer with npm"
[[ -x $chromium ]] || need_packages chromium fonts-dejavu-core
logged npm install --ignore-scripts --no-audit --no-fund --prefix "$modules" "playwright-core@$version" "axe-core@$axe"

probe=$CACHE/staging/browser-probe
rm -rf "$probe"
mkdir -p "$probe"
echo '<!doctype html><title>probe</title><h1>Ikigai</h1>' >"$probe/page.html"
cat >"$probe/probe.cjs" <<'JS'
const [, , modules, chromium, folder] = process.argv;
const { chromium: driver } = require(modules);
(async () => {
  const browser = await driver.launch({
    executablePath: chromium,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const page = await browser.newPage();
  await page.goto("file://" + folder + "/page.html");
  if ((await page.textContent("h1")) !== "Ikigai") throw new Error("the page was not drawn");
  await page.screenshot({ path: folder + "/page.png" });
  await browser.close();
})();
JS
logged timeout 60 node "$probe/probe.cjs" "$modules/node_modules/playwright-core" "$chromium" "$probe"
[[ $(head -c 4 "$probe/page.png" | tail -c 3) == PNG ]] || die "the browser made no picture" "log: $CACHE/logs/$PART.log"
rm -rf "$probe"
export_paths
mark_done "$key"
say "browser: $chromium, driven by playwright-core $version"
