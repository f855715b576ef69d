# src/hostletd: the supervisor.
HOSTLETD_PURE = \
	src/hostletd/lines.c src/hostletd/lines.h \
	src/hostletd/policy.c src/hostletd/policy.h

sbin_PROGRAMS += hostletd
hostletd_SOURCES = $(HOSTLETD_PURE) \
	src/hostletd/checks.c src/hostletd/checks.h \
	src/hostletd/down.c src/hostletd/down.h \
	src/hostletd/logs.c src/hostletd/logs.h \
	src/hostletd/main.c \
	src/hostletd/manager.c src/hostletd/manager.h \
	src/hostletd/methods.c src/hostletd/methods.h \
	src/hostletd/packages.c src/hostletd/packages.h \
	src/hostletd/places.c src/hostletd/places.h \
	src/hostletd/public_socket.c src/hostletd/public_socket.h \
	src/hostletd/reason.c src/hostletd/reason.h \
	src/hostletd/reload.c src/hostletd/reload.h \
	src/hostletd/service.c src/hostletd/service.h \
	src/hostletd/setup.c src/hostletd/setup.h \
	src/hostletd/sockets.c src/hostletd/sockets.h \
	src/hostletd/spawn.c src/hostletd/spawn.h \
	src/hostletd/users.c src/hostletd/users.h
hostletd_LDADD = $(BASE_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_hostletd
TESTS += tests/unit/test_hostletd
tests_unit_test_hostletd_SOURCES = tests/unit/test_hostletd.c $(HOSTLETD_PURE)
tests_unit_test_hostletd_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_manual
TESTS += tests/unit/test_manual
tests_unit_test_manual_SOURCES = tests/unit/test_manual.c
tests_unit_test_manual_CPPFLAGS = $(AM_CPPFLAGS) -DMANUAL='"$(abs_top_srcdir)/man"'
tests_unit_test_manual_LDADD = $(UNIT_LIBS)
endif
