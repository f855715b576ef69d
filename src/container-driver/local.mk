# src/container-driver: containers by replica, on Docker or on the null runtime

# Pure parts, tested one by one.
noinst_LIBRARIES += libdriver.a
libdriver_a_SOURCES = \
	src/container-driver/adopted.c src/container-driver/adopted.h \
	src/container-driver/complete.c src/container-driver/complete.h \
	src/container-driver/credentials.c src/container-driver/credentials.h \
	src/container-driver/docker/create.c src/container-driver/docker/create.h \
	src/container-driver/docker/event.c src/container-driver/docker/event.h \
	src/container-driver/docker/failure.c src/container-driver/docker/failure.h \
	src/container-driver/docker/inspect.c src/container-driver/docker/inspect.h \
	src/container-driver/docker/limits.c src/container-driver/docker/limits.h \
	src/container-driver/docker/network_options.c src/container-driver/docker/network_options.h \
	src/container-driver/docker/progress.c src/container-driver/docker/progress.h \
	src/container-driver/docker/version.c src/container-driver/docker/version.h \
	src/container-driver/installs.c src/container-driver/installs.h \
	src/container-driver/lxcfs.c src/container-driver/lxcfs.h \
	src/container-driver/lines.c src/container-driver/lines.h \
	src/container-driver/null/behaviour.c src/container-driver/null/behaviour.h \
	src/container-driver/name.c src/container-driver/name.h \
	src/container-driver/owner.c src/container-driver/owner.h \
	src/container-driver/reading.c src/container-driver/reading.h \
	src/container-driver/runtime.c src/container-driver/runtime.h \
	src/container-driver/seccomp_file.c src/container-driver/seccomp_file.h \
	src/container-driver/seccomp_profile.c src/container-driver/seccomp_profile.h \
	src/container-driver/settings.c src/container-driver/settings.h \
	src/container-driver/socket_group.c src/container-driver/socket_group.h \
	src/container-driver/spec.c src/container-driver/spec.h \
	src/container-driver/spec_copy.c src/container-driver/spec_copy.h \
	src/container-driver/tail.c src/container-driver/tail.h \
	src/container-driver/used_ranges.c src/container-driver/used_ranges.h \
	src/container-driver/zone_network.c src/container-driver/zone_network.h

pkglibexec_PROGRAMS += container-driver
container_driver_SOURCES = \
	src/container-driver/docker/docker.c src/container-driver/docker/docker.h \
	src/container-driver/docker/group.c src/container-driver/docker/group.h \
	src/container-driver/docker/call.c src/container-driver/docker/call.h \
	src/container-driver/docker/containers.c src/container-driver/docker/containers.h \
	src/container-driver/docker/copy.c src/container-driver/docker/copy.h \
	src/container-driver/docker/creation.c src/container-driver/docker/creation.h \
	src/container-driver/docker/events.c src/container-driver/docker/events.h \
	src/container-driver/docker/images.c src/container-driver/docker/images.h \
	src/container-driver/docker/logs.c src/container-driver/docker/logs.h \
	src/container-driver/docker/misnamed.c src/container-driver/docker/misnamed.h \
	src/container-driver/docker/network.c src/container-driver/docker/network.h \
	src/container-driver/docker/pull.c src/container-driver/docker/pull.h \
	src/container-driver/docker/seccomp.c src/container-driver/docker/seccomp.h \
	src/container-driver/docker/simple.c src/container-driver/docker/simple.h \
	src/container-driver/docker/update.c src/container-driver/docker/update.h \
	src/container-driver/docker/volumes.c src/container-driver/docker/volumes.h \
	src/container-driver/main.c \
	src/container-driver/manager.h \
	src/container-driver/methods_container.c src/container-driver/methods_container.h \
	src/container-driver/methods_create.c src/container-driver/methods_create.h \
	src/container-driver/methods_image.c src/container-driver/methods_image.h \
	src/container-driver/methods_limits.c src/container-driver/methods_limits.h \
	src/container-driver/methods_logs.c src/container-driver/methods_logs.h \
	src/container-driver/methods_volumes.c src/container-driver/methods_volumes.h \
	src/container-driver/methods_watch.c src/container-driver/methods_watch.h \
	src/container-driver/null/null.c src/container-driver/null/null.h \
	src/container-driver/null/copy.c src/container-driver/null/copy.h \
	src/container-driver/null/image.c src/container-driver/null/image.h \
	src/container-driver/null/life.c src/container-driver/null/life.h \
	src/container-driver/null/logs.c src/container-driver/null/logs.h \
	src/container-driver/null/store.c src/container-driver/null/store.h \
	src/container-driver/task.c src/container-driver/task.h
container_driver_LDADD = libdriver.a $(BASE_LIBS) $(CURL_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_driver
TESTS += tests/unit/test_driver
tests_unit_test_driver_SOURCES = tests/unit/test_driver.c
tests_unit_test_driver_LDADD = libdriver.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_network_options
TESTS += tests/unit/test_network_options
tests_unit_test_network_options_SOURCES = tests/unit/test_network_options.c
tests_unit_test_network_options_LDADD = libdriver.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_driver_volumes
TESTS += tests/unit/test_driver_volumes
tests_unit_test_driver_volumes_SOURCES = tests/unit/test_driver_volumes.c
tests_unit_test_driver_volumes_LDADD = libdriver.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_container_limits
TESTS += tests/unit/test_container_limits
tests_unit_test_container_limits_SOURCES = tests/unit/test_container_limits.c
tests_unit_test_container_limits_LDADD = libdriver.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_seccomp_profile
TESTS += tests/unit/test_seccomp_profile
tests_unit_test_seccomp_profile_SOURCES = tests/unit/test_seccomp_profile.c
tests_unit_test_seccomp_profile_LDADD = libdriver.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_used_ranges
TESTS += tests/unit/test_used_ranges
tests_unit_test_used_ranges_SOURCES = tests/unit/test_used_ranges.c
tests_unit_test_used_ranges_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=recv,--wrap=send
tests_unit_test_used_ranges_LDADD = libdriver.a $(UNIT_LIBS)
endif
