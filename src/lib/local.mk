# Everything that two or more processes share. One archive: a program takes from it only the objects that it uses, so
# that the libraries behind the others (libcurl, libarchive, …) are linked only where they are needed.
noinst_LIBRARIES += libhostlet.a
libhostlet_a_SOURCES = \
	src/lib/basic/cleanup.h \
	src/lib/basic/error.c src/lib/basic/error.h \
	src/lib/basic/failpoint.c src/lib/basic/failpoint.h \
	src/lib/basic/fs.c src/lib/basic/fs.h \
	src/lib/basic/log.c src/lib/basic/log.h \
	src/lib/basic/util.c src/lib/basic/util.h
libhostlet_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(LZMA_CFLAGS) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS) $(CRYPTO_CFLAGS)

include src/lib/package/local.mk
include src/lib/http/local.mk
include src/lib/manifest/local.mk
include src/lib/app/local.mk
