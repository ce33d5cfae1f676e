#!/bin/bash
# Makes the user that the application runs as, and its folder.
set -eu

if ! id webapp >/dev/null 2>&1; then
  useradd --system --no-create-home --shell /sbin/nologin webapp
fi
mkdir -p /opt/webapp
