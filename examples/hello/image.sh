#!/usr/bin/env bash
# Builds the image of this commit, pushes it to $REPOSITORY_URI, and names it in
# imageDetail.json. The image is made from nothing but the program, without
# Docker: the same commit gives the same image, and a tag that the repository has
# already is left as it is, so that a repeated build changes nothing.
#
#   REPOSITORY_URI                      registry/repository to push to
#   CODEBUILD_RESOLVED_SOURCE_VERSION   the commit; asked of git when unset
#   GOARCH                              of the image; this machine's when unset
set -euo pipefail
cd "$(dirname "$0")"

: "${REPOSITORY_URI:?is not set: the image repository, like 111122223333.dkr.ecr.us-east-1.amazonaws.com/hello}"
commit=${CODEBUILD_RESOLVED_SOURCE_VERSION:-$(git rev-parse HEAD)}
arch=$(go env GOARCH)
tag=${commit:0:12}-$arch
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One build of crane, for this machine, in place of one look-up a call.
GOOS='' GOARCH='' go build -o "$work/crane" github.com/google/go-containerregistry/cmd/crane
crane() { "$work/crane" "$@"; }

# Only ECR wants a login; the registry of an embedded AWS is on loopback.
if [[ $REPOSITORY_URI =~ ^[0-9]+\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/ ]]; then
  aws ecr get-login-password --region "${BASH_REMATCH[1]}" |
    crane auth login "${REPOSITORY_URI%%/*}" --username AWS --password-stdin
fi

if digest=$(crane digest "$REPOSITORY_URI:$tag" 2>"$work/why"); then
  echo "$REPOSITORY_URI:$tag exists: using it"
elif ! grep -q 'MANIFEST_UNKNOWN\|NAME_UNKNOWN' "$work/why"; then
  cat "$work/why" >&2
  exit 1
else
  CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.version=$(<VERSION) -X main.faults=$(<FAULTS)" -o "$work/hello" .
  # A docker-style archive: https://github.com/moby/docker-image-spec
  pack=(tar --format=ustar --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0755 -C "$work")
  "${pack[@]}" -cf "$work/layer.tar" hello
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  cat >"$work/config.json" <<EOF
{
  "os": "linux",
  "architecture": "$arch",
  "config": {
    "Entrypoint": ["/hello"],
    "User": "65532:65532",
    "ExposedPorts": {"8080/tcp": {}},
    "Labels": {"org.opencontainers.image.revision": "$commit", "org.opencontainers.image.version": "$(<VERSION)"}
  },
  "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}
}
EOF
  echo '[{"Config": "config.json", "Layers": ["layer.tar"]}]' >"$work/manifest.json"
  "${pack[@]}" -cf "$work/image.tar" manifest.json config.json layer.tar
  image=$(crane push "$work/image.tar" "$REPOSITORY_URI:$tag")
  digest=${image#*@}
fi

# What CodePipeline's ECR source action would write:
# https://docs.aws.amazon.com/codepipeline/latest/userguide/file-reference.html
cat >imageDetail.json <<EOF
{
  "Version": "1.0",
  "ImageURI": "$REPOSITORY_URI@$digest",
  "ImageDigest": "$digest",
  "RepositoryName": "${REPOSITORY_URI#*/}",
  "ImageTags": ["$tag"]
}
EOF
echo "image $REPOSITORY_URI@$digest"
