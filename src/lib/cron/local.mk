# src/lib/cron: cron expressions and time zones. Pure; inagent links it too, built with musl.
LIB_CRON = \
	src/lib/cron/calendar.c src/lib/cron/calendar.h \
	src/lib/cron/cron.c src/lib/cron/cron.h \
	src/lib/cron/duration.c src/lib/cron/duration.h \
	src/lib/cron/next.c src/lib/cron/next.h \
	src/lib/cron/tz.c src/lib/cron/tz.h \
	src/lib/cron/tz_rule.c src/lib/cron/tz_rule.h
libhostlet_a_SOURCES += $(LIB_CRON)

# Prints when expressions match, for the comparison with another implementation.
noinst_PROGRAMS += cron-next
cron_next_SOURCES = tests/peers/cron-next.c
cron_next_LDADD = $(BASE_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_cron
TESTS += tests/unit/test_cron
tests_unit_test_cron_SOURCES = tests/unit/test_cron.c
tests_unit_test_cron_LDADD = $(UNIT_LIBS)
endif
