#!/bin/bash
# Starts this version, also when an earlier one still runs.
set -eu

systemctl restart webapp
