#!/usr/bin/env bash
#
# demo-stop.sh
#	Stops what demo.sh left running.  The pictures stay.

set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/../.."
. test/harness/cluster.sh
. test/demo/place.sh

demo_place_is_ours
if [ ! -d "$demo/data" ]
then
	echo 'no demo is running'
	exit 0
fi
demo_stop
echo "the demo is stopped; its pictures are in $demo/pictures"
