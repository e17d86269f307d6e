# bambi: image generation inside PostgreSQL.
#
#	make, make install, make installcheck	as with any PGXS extension
#	make demo, make demo-stop		see it work, in a private cluster
#	make check				build and run every test
#	make check-fuzz			look for what breaks it, for a while
#	make check-memory		under sanitizers and valgrind
#	make check-services		try it against what others wrote
#
# installcheck needs a running server as CONTRIBUTING.md describes it; make
# check makes one itself.

PG_CONFIG ?= pg_config
export PG_CONFIG

extension = $(MAKE) -C src/extension
courier = $(MAKE) -C src/courier
harness = test/harness

all install uninstall clean:
	+$(extension) $@
	+$(courier) $@

clean: clean-tests
clean-tests:
	+for part in mock unit bench fuzz clients; do $(MAKE) -C test/$$part clean || exit; done
	rm -rf results output_iso tmp_check log regression.diffs regression.out

installcheck:
	+$(extension) $@

demo:
	@test/demo/demo.sh

demo-stop:
	@test/demo/demo-stop.sh

check:
	@$(harness)/check.sh

# parts of check, for work on one of them
check-harness check-unit check-mock check-layers check-reference check-indent \
check-warnings check-regress check-isolation check-tap:
	@$(harness)/check.sh $(@:check-%=%)

# SDKs, OpenAPI documents and servers that others wrote, from their registries
# and from BAMBI_SHARED
check-services:
	@test/clients/run.sh

# FUZZ_SECONDS of every target, or no more than RUNS inputs
check-fuzz:
	@$(harness)/packages.sh fuzz
	$(MAKE) -C test/fuzz check

# the groups of memory.sh
check-memory:
	@$(harness)/check.sh --memory

indent:
	@test/lint/indent.sh --write

bench:
	@test/bench/bench.sh

# make torture ROUNDS=1000 KEYS=1000000; the variables stand in sizes.sh
torture:
	@$(harness)/check.sh --torture

.PHONY: all install uninstall clean clean-tests installcheck demo demo-stop check \
	check-harness check-unit check-mock check-layers check-reference \
	check-indent check-warnings check-regress check-isolation check-tap check-fuzz \
	check-memory check-services indent bench torture
.DEFAULT_GOAL := all
