#!/usr/bin/env bash
# Makes: code-server (the editor in every agent's container) with the Node it needs, trimmed, in the cache's staging
# folder. 90 s the first time: npm, then seven native modules by node-gyp.
# Prints (--print): the folder, whose content is what the image gets under /usr/local.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

version=4.139.1 node=24.21.0
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) die "no Node build for $(uname -m)" ;;
esac
stage=$CACHE/staging/code-server-$version-node-$node
print_result() { echo "$stage"; }
begin code-server "$@"

# The first number grows when what is done below changes.
key=$(hash_text 1 $version $node "$arch")
if is_done "$key" && [[ -x $stage/bin/node && -e $stage/lib/node_modules/code-server/out/node/entry.js ]]; then
  say "code-server is there"
  exit 0
fi

need_program npm "get Node 20 or newer with npm"
need_program python3 "as root: apt-get install python3"
need_program c++ "as root: apt-get install g++"
need_packages libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev pkg-config make

work=$CACHE/staging/code-server.work
rm -rf "$work" "$stage"
mkdir -p "$work" "$stage/bin" "$stage/lib/node_modules"
export npm_config_update_notifier=false
fetch() { logged npm install --ignore-scripts --no-audit --no-fund "$@"; }

say "code-server $version: fetching, about 30 s …"
cd "$work"
fetch --prefix "$work/node" "node-linux-$arch@$node"
nodedir=$work/node/node_modules/node-linux-$arch
cp "$nodedir/bin/node" "$stage/bin/node"
fetch --prefix "$work/cs" "code-server@$version"
vscode=$work/cs/node_modules/code-server/lib/vscode
cd "$vscode"
fetch --omit=dev
cd "$vscode/extensions"
fetch

say "code-server $version: compiling native modules, about 80 s …"
gyp=$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js
[[ -f $gyp ]] || gyp=$(dirname "$(readlink -f "$(command -v npm)")")/../node_modules/node-gyp/bin/node-gyp.js
[[ -f $gyp ]] || die "npm's own node-gyp is not where it should be: $gyp"
for module in @parcel/watcher @vscode/deviceid @vscode/fs-copyfile @vscode/native-watchdog @vscode/spdlog kerberos node-pty; do
  cd "$vscode/node_modules/$module"
  PATH=$nodedir/bin:$PATH JOBS=max logged node "$gyp" rebuild "--nodedir=$nodedir"
  # Only the built modules are needed, not what they were built from.
  find build -mindepth 1 -maxdepth 1 ! -name Release -exec rm -rf {} +
  rm -rf build/Release/obj.target
  find build -type f ! -name '*.node' -delete
  find build -type d -empty -delete
done
ln -s node_modules "$vscode/node_modules.asar"

# What an agent's editor does not use: assistants, sign-in with Microsoft, other platforms, sources, maps.
cd "$vscode/node_modules"
rm -rf @github @microsoft/mxc-sdk @devcontainers node-pty/{prebuilds,third_party,deps,src,scripts}
find . -path '*ripgrep*' -type d -name 'rg-*' ! -name "rg-linux-$arch" -prune -exec rm -rf {} +
find . -path '*ripgrep-universal/bin/*' -maxdepth 5 -type d ! -name "linux-$arch" -prune -exec rm -rf {} +
cd "$vscode/extensions"
rm -rf copilot mermaid-markdown-features ms-vscode.* microsoft-authentication
find node_modules -mindepth 1 -maxdepth 1 ! -name typescript -exec rm -rf {} +
find "$work/cs" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.md' \) \
  ! -path '*/typescript/lib/*' ! -path '*/extensions/*/package.nls*' -delete
rm -rf "$work/cs/node_modules/.bin"

# Its parent folder must be named node_modules.
cp -a "$work/cs/node_modules/." "$stage/lib/node_modules/"
ln -s ../lib/node_modules/code-server/out/node/entry.js "$stage/bin/code-server"
chmod +x "$stage/lib/node_modules/code-server/out/node/entry.js"
cd "$CACHE"
rm -rf "$work"
HOME=$CACHE/staging/code-server.home logged "$stage/bin/node" "$stage/bin/code-server" --version
rm -rf "$CACHE/staging/code-server.home"
mark_done "$key"
say "code-server: $(du -sm "$stage" | cut -f1) MB in $stage"
