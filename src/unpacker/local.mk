# src/unpacker: the work itself in an archive of its own, for the unit tests
noinst_LIBRARIES += libunpacker.a
libunpacker_a_SOURCES = \
	src/unpacker/early_sync.c src/unpacker/early_sync.h \
	src/unpacker/extract.c src/unpacker/extract.h \
	src/unpacker/staging.c src/unpacker/staging.h \
	src/unpacker/tree.c src/unpacker/tree.h

pkglibexec_PROGRAMS += unpacker
unpacker_SOURCES = src/unpacker/main.c \
	src/unpacker/job.c src/unpacker/job.h \
	src/unpacker/manager.c src/unpacker/manager.h \
	src/unpacker/methods.c src/unpacker/methods.h
unpacker_LDADD = libunpacker.a $(BASE_LIBS) $(PACKAGE_LIBS) -lpthread

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_extract
TESTS += tests/unit/test_extract
tests_unit_test_extract_SOURCES = tests/unit/test_extract.c tests/unit/package_fixture.c tests/unit/package_fixture.h
tests_unit_test_extract_LDADD = libunpacker.a $(UNIT_LIBS) $(PACKAGE_LIBS) -lpthread
tests_unit_test_extract_CPPFLAGS = $(AM_CPPFLAGS) -DVECTORS='"$(abs_top_srcdir)/tests/vectors"'
endif
