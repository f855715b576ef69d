# src/lib/package: package files: versions, ids, headers, compression, reading, indexes, building
libhostlet_a_SOURCES += \
	src/lib/package/compress.c src/lib/package/compress.h \
	src/lib/package/compress_encoder.c \
	src/lib/package/header.c src/lib/package/header.h \
	src/lib/package/id.c src/lib/package/id.h \
	src/lib/package/version.c src/lib/package/version.h

# What a program that reads package files links with, besides BASE_LIBS.
PACKAGE_LIBS = $(ARCHIVE_LIBS) $(LZMA_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(CRYPTO_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_package
TESTS += tests/unit/test_package
tests_unit_test_package_SOURCES = tests/unit/test_package.c
tests_unit_test_package_LDADD = $(UNIT_LIBS) $(PACKAGE_LIBS) -lpthread
tests_unit_test_package_CPPFLAGS = $(AM_CPPFLAGS) -DVECTORS='"$(abs_top_srcdir)/tests/vectors"'
endif
