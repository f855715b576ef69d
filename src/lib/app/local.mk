# src/lib/app: checks manifests, fills in defaults, compares revisions
libhostlet_a_SOURCES += \
	src/lib/app/check.c src/lib/app/check.h \
	src/lib/app/check_deploy.c src/lib/app/check_deploy.h \
	src/lib/app/check_ports.c src/lib/app/check_ports.h \
	src/lib/app/check_tasks.c src/lib/app/check_tasks.h \
	src/lib/app/extent.c src/lib/app/extent.h \
	src/lib/app/host_port.c src/lib/app/host_port.h \
	src/lib/app/limits.h \
	src/lib/app/name.c src/lib/app/name.h \
	src/lib/app/normalise.c src/lib/app/normalise.h \
	src/lib/app/quantity.c src/lib/app/quantity.h \
	src/lib/app/reference.c src/lib/app/reference.h \
	src/lib/app/volume.c src/lib/app/volume.h \
	src/lib/app/zone.c src/lib/app/zone.h

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_app
TESTS += tests/unit/test_app
tests_unit_test_app_SOURCES = tests/unit/test_app.c
tests_unit_test_app_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_host_port
TESTS += tests/unit/test_host_port
tests_unit_test_host_port_SOURCES = tests/unit/test_host_port.c
tests_unit_test_host_port_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_reference
TESTS += tests/unit/test_reference
tests_unit_test_reference_SOURCES = tests/unit/test_reference.c
tests_unit_test_reference_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_volume
TESTS += tests/unit/test_volume
tests_unit_test_volume_SOURCES = tests/unit/test_volume.c
tests_unit_test_volume_LDADD = $(UNIT_LIBS)
endif
