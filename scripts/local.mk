# scripts
EXTRA_DIST += scripts/deps scripts/users scripts/test scripts/lint scripts/lint-layers scripts/lint-circles scripts/lint-headers scripts/lint-unused scripts/fresh scripts/quickstart \
	scripts/bench scripts/bootstrap scripts/chaos scripts/coverage scripts/decisions scripts/vm scripts/vm-image .ci/run \
	tests/run.py tests/coverage.py svc/sysusers.conf

# The system users, where systemd-sysusers looks for them.
sysusersdir = $(prefix)/lib/sysusers.d
nodist_sysusers_DATA = svc/hostlet.conf
CLEANFILES += svc/hostlet.conf
svc/hostlet.conf: svc/sysusers.conf
	$(AM_V_GEN)$(MKDIR_P) svc && cp $< $@

# 'make check' runs them, too, since they need no tools and little time.
check-local: lint-layers lint-circles lint-headers lint-decisions lint-unused
lint-layers:
	$(srcdir)/scripts/lint-layers
# It reads the objects, so it runs after the build.
lint-circles: all
	$(srcdir)/scripts/lint-circles .
lint-headers: all
	$(srcdir)/scripts/lint-headers .
lint-decisions:
	$(srcdir)/scripts/decisions --check
lint-unused: $(check_PROGRAMS)
	$(AM_V_at)$(srcdir)/scripts/lint-unused $(builddir)
lint:
	$(srcdir)/scripts/lint
.PHONY: lint lint-layers lint-circles lint-headers lint-decisions lint-unused
