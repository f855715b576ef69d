# src/fetcher: everything but main.c in an archive of its own, for the unit tests
noinst_LIBRARIES += libfetcher.a
libfetcher_a_SOURCES = \
	src/fetcher/answer.c src/fetcher/answer.h \
	src/fetcher/credentials.c src/fetcher/credentials.h \
	src/fetcher/download.c src/fetcher/download.h \
	src/fetcher/download_file.c src/fetcher/download_file.h \
	src/fetcher/download_http.c src/fetcher/download_http.h \
	src/fetcher/download_report.c src/fetcher/download_report.h \
	src/fetcher/download_zone.c src/fetcher/download_zone.h \
	src/fetcher/facts.c src/fetcher/facts.h \
	src/fetcher/fetcher.c src/fetcher/fetcher.h \
	src/fetcher/index_cache.c src/fetcher/index_cache.h \
	src/fetcher/lookup.c src/fetcher/lookup.h \
	src/fetcher/manager.c src/fetcher/manager.h \
	src/fetcher/methods.c src/fetcher/methods.h \
	src/fetcher/repository.c src/fetcher/repository.h \
	src/fetcher/repository_file.c src/fetcher/repository_file.h \
	src/fetcher/repository_http.c src/fetcher/repository_http.h \
	src/fetcher/sink.c src/fetcher/sink.h \
	src/fetcher/sink_thread.c src/fetcher/sink_thread.h \
	src/fetcher/sink_types.h \
	src/fetcher/store.c src/fetcher/store.h \
	src/fetcher/verify.c src/fetcher/verify.h \
	src/fetcher/zone.c src/fetcher/zone.h
libfetcher_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(CRYPTO_CFLAGS)

pkglibexec_PROGRAMS += fetcher
fetcher_SOURCES = src/fetcher/main.c
fetcher_LDADD = libfetcher.a $(BASE_LIBS) $(CURL_LIBS) $(PACKAGE_LIBS) $(GRPC_LIBS) -lpthread

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_fetcher tests/unit/test_sink tests/unit/test_store
TESTS += tests/unit/test_fetcher tests/unit/test_sink tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c tests/unit/simulated_clock.c tests/unit/simulated_clock.h
tests_unit_test_store_LDADD = libfetcher.a $(UNIT_LIBS) $(CURL_LIBS) $(PACKAGE_LIBS) $(GRPC_LIBS) -lpthread
tests_unit_test_fetcher_SOURCES = tests/unit/test_fetcher.c
tests_unit_test_fetcher_LDADD = libfetcher.a $(UNIT_LIBS) $(CURL_LIBS) $(PACKAGE_LIBS) $(GRPC_LIBS) -lpthread
tests_unit_test_sink_SOURCES = tests/unit/test_sink.c
tests_unit_test_sink_LDADD = libfetcher.a $(UNIT_LIBS) $(CURL_LIBS) $(PACKAGE_LIBS) $(GRPC_LIBS) -lpthread
endif
