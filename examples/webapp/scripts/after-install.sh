#!/bin/bash
# Has systemd read the unit file, and start the application with the instance.
set -eu

systemctl daemon-reload
systemctl enable webapp
