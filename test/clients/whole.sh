#!/usr/bin/env bash
#
# whole.sh
#	Long runs of test/torture in their whole size, which make check takes a
#	sample of: those that test/harness/sizes.sh names.

set -euo pipefail

test/harness/check.sh --group build "$SCRATCH"
exec test/harness/check.sh --group whole "$SCRATCH"
