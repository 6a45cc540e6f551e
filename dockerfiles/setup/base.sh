#!/usr/bin/env bash
# Makes: the base image `ikigai-base:bookworm`, a small Debian 12 with what a coding task needs, without any image
# registry. 35 s the first time. The tar stays in the cache, so a new Docker engine gets it in 5 s.
# Prints (--print): the image's name.
#
# IKIGAI_CA_BUNDLE=/path/to/ca.crt puts an additional bundle of certificates into it, for networks whose proxy
# inspects TLS; without it, nothing of the host is in the image.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

image=ikigai-base:bookworm
print_result() { echo "$image"; }
begin base "$@"

packages=ca-certificates,curl,git,less,make,procps,python3
bundle=${IKIGAI_CA_BUNDLE:-}
[[ -z $bundle || -r $bundle ]] || die "IKIGAI_CA_BUNDLE: cannot read $bundle"
key=$(hash_text 1 "$(uname -m)" "$packages" "${bundle:+$(hash_of "$bundle")}")
tar=$CACHE/images/base-$key.tar

need_engine
if is_done "$key" && image_exists "$image"; then
  put_env IKIGAI_TEST_IMAGE "$(image_id "$image")"
  say "base image is there"
  exit 0
fi

if [[ ! -f $tar ]]; then
  say "base image: Debian 12 with $packages, about 35 s"
  have mmdebstrap || need_packages mmdebstrap
  # Who is not root works in a user namespace, which needs this program.
  ((EUID == 0)) || have newuidmap || need_packages uidmap
  options=(--variant=minbase --include="$packages"
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-include=/usr/share/doc/*/copyright'
    --dpkgopt='path-exclude=/usr/share/locale/*')
  if [[ -n $bundle ]]; then
    options+=("--customize-hook=upload $bundle /usr/local/share/ca-certificates/ikigai-host.crt")
    # shellcheck disable=SC2016 # $1 is mmdebstrap's: the new root
    options+=('--customize-hook=chroot "$1" update-ca-certificates')
  fi
  logged mmdebstrap "${options[@]}" bookworm "$CACHE/images/new.tar"
  rm -f "$CACHE"/images/base-*.tar
  mv "$CACHE/images/new.tar" "$tar"
fi
say "importing the base image, about 5 s"
logged docker import --change 'ENV LANG=C.UTF-8' --change 'LABEL dev.ikigai.image=base' --change 'CMD ["bash"]' \
  "$tar" "$image"
put_env IKIGAI_TEST_IMAGE "$(image_id "$image")"
mark_done "$key"
say "base image $image: $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB"
