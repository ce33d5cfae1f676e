#!/bin/bash
# Stops the version that runs. CodeDeploy runs the script of the revision that
# was installed before; there may be none.
set -eu

if systemctl is-active --quiet webapp; then
  systemctl stop webapp
fi
