# src/unpacker
noinst_LIBRARIES += libunpacker.a
libunpacker_a_SOURCES = \
	src/unpacker/extract.c src/unpacker/extract.h \
	src/unpacker/staging.c src/unpacker/staging.h \
	src/unpacker/tree.c src/unpacker/tree.h

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_extract
TESTS += tests/unit/test_extract
tests_unit_test_extract_SOURCES = tests/unit/test_extract.c tests/unit/package_fixture.c tests/unit/package_fixture.h
tests_unit_test_extract_LDADD = libunpacker.a $(UNIT_LIBS) $(PACKAGE_LIBS) -lpthread
tests_unit_test_extract_CPPFLAGS = $(AM_CPPFLAGS) -DVECTORS='"$(abs_top_srcdir)/tests/vectors"'
endif
