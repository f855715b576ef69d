# src/provisioner
pkglibexec_PROGRAMS += provisioner
noinst_LIBRARIES += libprovisioner.a
libprovisioner_a_SOURCES = \
	src/provisioner/mounts.c src/provisioner/mounts.h \
	src/provisioner/removal.c src/provisioner/removal.h \
	src/provisioner/replica.c src/provisioner/replica.h \
	src/provisioner/tenant.c src/provisioner/tenant.h
provisioner_SOURCES = \
	src/provisioner/deletion.c src/provisioner/deletion.h \
	src/provisioner/main.c \
	src/provisioner/manager.c src/provisioner/manager.h \
	src/provisioner/methods.c src/provisioner/methods.h
provisioner_LDADD = libprovisioner.a $(BASE_LIBS) -lpthread

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_provisioner
TESTS += tests/unit/test_provisioner
tests_unit_test_provisioner_SOURCES = tests/unit/test_provisioner.c
tests_unit_test_provisioner_LDADD = libprovisioner.a $(UNIT_LIBS) -lpthread
endif
