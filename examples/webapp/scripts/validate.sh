#!/bin/bash
# Waits until the application answers with this version, for about four minutes.
# No instance gets traffic before this has succeeded.
set -eu

version=$(cat /opt/webapp/VERSION)
attempt=0
while [ "$attempt" -lt 120 ]; do
  attempt=$((attempt + 1))
  answer=$(curl --silent --show-error --fail --max-time 2 http://localhost:8080/ 2>&1 || true)
  case "$answer" in
    *"\"version\":\"$version\""*)
      echo "version $version answers: $answer"
      exit 0
      ;;
  esac
  sleep 2
done
echo "version $version does not answer, but: $answer" >&2
systemctl is-active webapp >&2 || true
exit 1
