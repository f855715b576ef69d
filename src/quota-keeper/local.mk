# src/quota-keeper
pkglibexec_PROGRAMS += quota-keeper
noinst_LIBRARIES += libquota.a
libquota_a_SOURCES = \
	src/quota-keeper/enforce.c src/quota-keeper/enforce.h \
	src/quota-keeper/exchange.c src/quota-keeper/exchange.h \
	src/quota-keeper/findings.c src/quota-keeper/findings.h \
	src/quota-keeper/ids.c src/quota-keeper/ids.h \
	src/quota-keeper/kernel.c src/quota-keeper/kernel.h \
	src/quota-keeper/ledger.c src/quota-keeper/ledger.h \
	src/quota-keeper/level.c src/quota-keeper/level.h \
	src/quota-keeper/place.c src/quota-keeper/place.h \
	src/quota-keeper/projects.c src/quota-keeper/projects.h \
	src/quota-keeper/recheck.c src/quota-keeper/recheck.h \
	src/quota-keeper/recovery.c src/quota-keeper/recovery.h \
	src/quota-keeper/registry.c src/quota-keeper/registry.h \
	src/quota-keeper/registry_run.c src/quota-keeper/registry_run.h \
	src/quota-keeper/report.c src/quota-keeper/report.h \
	src/quota-keeper/strays.c src/quota-keeper/strays.h \
	src/quota-keeper/tag.c src/quota-keeper/tag.h \
	src/quota-keeper/walk.c src/quota-keeper/walk.h
quota_keeper_SOURCES = \
	src/quota-keeper/main.c \
	src/quota-keeper/manager.c src/quota-keeper/manager.h \
	src/quota-keeper/methods.c src/quota-keeper/methods.h \
	src/quota-keeper/questions.c src/quota-keeper/questions.h \
	src/quota-keeper/requests.c src/quota-keeper/requests.h \
	src/quota-keeper/sweep.c src/quota-keeper/sweep.h \
	src/quota-keeper/watch.c src/quota-keeper/watch.h
quota_keeper_LDADD = libquota.a $(BASE_LIBS) $(SECCOMP_LIBS) -lpthread

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_quota tests/unit/test_quota_keeping tests/unit/test_quota_recovery \
	tests/unit/test_quota_strays tests/unit/test_quota_walk
TESTS += tests/unit/test_quota tests/unit/test_quota_keeping tests/unit/test_quota_recovery \
	tests/unit/test_quota_strays tests/unit/test_quota_walk
tests_unit_test_quota_recovery_SOURCES = tests/unit/test_quota_recovery.c tests/unit/quota_world.c tests/unit/quota_world.h
tests_unit_test_quota_recovery_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=app_path_list
tests_unit_test_quota_recovery_LDADD = libquota.a $(UNIT_LIBS) -lpthread
tests_unit_test_quota_walk_SOURCES = tests/unit/test_quota_walk.c
tests_unit_test_quota_walk_LDADD = libquota.a $(UNIT_LIBS) -lpthread
tests_unit_test_quota_SOURCES = tests/unit/test_quota.c
tests_unit_test_quota_LDADD = libquota.a $(UNIT_LIBS) -lpthread
tests_unit_test_quota_strays_SOURCES = tests/unit/test_quota_strays.c tests/unit/quota_world.c tests/unit/quota_world.h
tests_unit_test_quota_strays_LDADD = libquota.a $(UNIT_LIBS) -lpthread
tests_unit_test_quota_keeping_SOURCES = tests/unit/test_quota_keeping.c tests/unit/quota_world.c tests/unit/quota_world.h
tests_unit_test_quota_keeping_LDADD = libquota.a $(UNIT_LIBS) -lpthread
endif
