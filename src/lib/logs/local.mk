# src/lib/logs: reads and writes containers' output in frames, for the driver and hostletctl; the labels of tasks in it
libhostlet_a_SOURCES += \
	src/lib/logs/frames.c src/lib/logs/frames.h \
	src/lib/logs/label.c src/lib/logs/label.h

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_logs
TESTS += tests/unit/test_logs
tests_unit_test_logs_SOURCES = tests/unit/test_logs.c
tests_unit_test_logs_LDADD = $(UNIT_LIBS)
endif
