# scripts
EXTRA_DIST += scripts/deps scripts/users scripts/test scripts/lint .ci/run tests/run.py svc/sysusers.conf

lint:
	$(srcdir)/scripts/lint
.PHONY: lint
