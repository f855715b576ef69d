# src/lib/package: reads and builds package files, and indexes of them
libhostlet_a_SOURCES += \
	src/lib/package/build.c src/lib/package/build.h \
	src/lib/package/chunk.c src/lib/package/chunk.h \
	src/lib/package/compress.c src/lib/package/compress.h \
	src/lib/package/compress_encoder.c src/lib/package/compress_encoder.h \
	src/lib/package/data_block.c src/lib/package/data_block.h \
	src/lib/package/entry.c src/lib/package/entry.h \
	src/lib/package/header.c src/lib/package/header.h \
	src/lib/package/id.c src/lib/package/id.h \
	src/lib/package/index.c src/lib/package/index.h \
	src/lib/package/index_scan.c src/lib/package/index_scan.h \
	src/lib/package/limits.h \
	src/lib/package/reader.c src/lib/package/reader.h \
	src/lib/package/source.c src/lib/package/source.h \
	src/lib/package/utf8.c src/lib/package/utf8.h \
	src/lib/package/version.c src/lib/package/version.h

# The libraries that a program which reads package files needs beside BASE_LIBS.
PACKAGE_LIBS = $(ARCHIVE_LIBS) $(LZMA_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(CRYPTO_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_package
TESTS += tests/unit/test_package
tests_unit_test_package_SOURCES = tests/unit/test_package.c
tests_unit_test_package_LDADD = $(UNIT_LIBS) $(PACKAGE_LIBS) -lpthread
tests_unit_test_package_CPPFLAGS = $(AM_CPPFLAGS) -DVECTORS='"$(abs_top_srcdir)/tests/vectors"'

check_PROGRAMS += tests/unit/test_package_build
TESTS += tests/unit/test_package_build
tests_unit_test_package_build_SOURCES = tests/unit/test_package_build.c \
	tests/unit/package_fixture.c tests/unit/package_fixture.h
tests_unit_test_package_build_LDADD = $(UNIT_LIBS) $(PACKAGE_LIBS) -lpthread
tests_unit_test_package_build_CPPFLAGS = $(AM_CPPFLAGS) -DVECTORS='"$(abs_top_srcdir)/tests/vectors"'
endif
