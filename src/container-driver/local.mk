# src/container-driver: containers by replica, on Docker or on the null runtime

# Pure parts, tested one by one.
noinst_LIBRARIES += libdriver.a
libdriver_a_SOURCES = \
	src/container-driver/credentials.c src/container-driver/credentials.h \
	src/container-driver/docker_create.c src/container-driver/docker_create.h \
	src/container-driver/docker_event.c src/container-driver/docker_event.h \
	src/container-driver/docker_failure.c src/container-driver/docker_failure.h \
	src/container-driver/docker_inspect.c src/container-driver/docker_inspect.h \
	src/container-driver/docker_progress.c src/container-driver/docker_progress.h \
	src/container-driver/docker_version.c src/container-driver/docker_version.h \
	src/container-driver/lines.c src/container-driver/lines.h \
	src/container-driver/name.c src/container-driver/name.h \
	src/container-driver/reading.c src/container-driver/reading.h \
	src/container-driver/reference.c src/container-driver/reference.h \
	src/container-driver/runtime.c src/container-driver/runtime.h \
	src/container-driver/settings.c src/container-driver/settings.h \
	src/container-driver/spec.c src/container-driver/spec.h

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_driver
TESTS += tests/unit/test_driver
tests_unit_test_driver_SOURCES = tests/unit/test_driver.c
tests_unit_test_driver_LDADD = libdriver.a $(UNIT_LIBS)
endif
