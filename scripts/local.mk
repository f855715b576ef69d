# scripts
EXTRA_DIST += scripts/deps scripts/users scripts/test scripts/lint scripts/fresh scripts/quickstart .ci/run \
	tests/run.py svc/sysusers.conf

lint:
	$(srcdir)/scripts/lint
.PHONY: lint
