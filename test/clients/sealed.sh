#!/usr/bin/env bash
#
# sealed.sh
#	The courier opens no key that was changed, or is in another's row.

set -euo pipefail

exec test/clients/build/sealed
