# src/provisioner
pkglibexec_PROGRAMS += provisioner
noinst_LIBRARIES += libprovisioner.a
libprovisioner_a_SOURCES = \
	src/provisioner/mounts.c src/provisioner/mounts.h \
	src/provisioner/packages.c src/provisioner/packages.h \
	src/provisioner/removal.c src/provisioner/removal.h \
	src/provisioner/replica.c src/provisioner/replica.h \
	src/provisioner/take.c src/provisioner/take.h \
	src/provisioner/tenant.c src/provisioner/tenant.h \
	src/provisioner/volumes.c src/provisioner/volumes.h
provisioner_SOURCES = \
	src/provisioner/deletion.c src/provisioner/deletion.h \
	src/provisioner/main.c \
	src/provisioner/manager.c src/provisioner/manager.h \
	src/provisioner/methods.c src/provisioner/methods.h \
	src/provisioner/publisher.c src/provisioner/publisher.h
provisioner_LDADD = libprovisioner.a $(BASE_LIBS) -lpthread

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_provisioner
TESTS += tests/unit/test_provisioner
tests_unit_test_provisioner_SOURCES = tests/unit/test_provisioner.c
tests_unit_test_provisioner_LDADD = libprovisioner.a $(UNIT_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_removal
TESTS += tests/unit/test_removal
tests_unit_test_removal_SOURCES = tests/unit/test_removal.c
tests_unit_test_removal_LDADD = libprovisioner.a $(UNIT_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_publish
TESTS += tests/unit/test_publish
tests_unit_test_publish_SOURCES = tests/unit/test_publish.c tests/unit/package_fixture.c tests/unit/package_fixture.h
tests_unit_test_publish_LDADD = libprovisioner.a $(UNIT_LIBS) $(PACKAGE_LIBS) -lpthread
endif
