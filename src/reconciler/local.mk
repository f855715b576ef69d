pkglibexec_PROGRAMS += reconciler
reconciler_SOURCES = \
	src/reconciler/agent.c src/reconciler/facts.c src/reconciler/secret.c src/reconciler/zone.c src/reconciler/zone_order.c \
	src/reconciler/apply.c src/reconciler/crash.c src/reconciler/decide.c src/reconciler/decide.h \
	src/reconciler/journal.c src/reconciler/main.c src/reconciler/manager.c src/reconciler/manager.h src/reconciler/methods.c \
	src/reconciler/observe.c src/reconciler/plan.c src/reconciler/ports.c src/reconciler/ports.h \
	src/reconciler/quota.c \
	src/reconciler/prepare.c src/reconciler/record.c src/reconciler/record.h src/reconciler/release.c \
	src/reconciler/replica.c src/reconciler/report.c src/reconciler/rollout.c src/reconciler/spec.c src/reconciler/stages.c \
	src/reconciler/steps.c src/reconciler/store.c src/reconciler/unreadable.c
reconciler_LDADD = $(BASE_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_decide
TESTS += tests/unit/test_decide
tests_unit_test_decide_SOURCES = tests/unit/test_decide.c src/reconciler/decide.c
tests_unit_test_decide_LDADD = $(UNIT_LIBS)
endif
