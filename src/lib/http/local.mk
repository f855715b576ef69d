# src/lib/http: HTTP requests on the event loop, by libcurl (a program that uses it links with $(CURL_LIBS))
libhostlet_a_SOURCES += \
	src/lib/http/client.c src/lib/http/client.h \
	src/lib/http/failure.c \
	src/lib/http/internal.h \
	src/lib/http/request.c

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_http
TESTS += tests/unit/test_http
tests_unit_test_http_SOURCES = tests/unit/test_http.c
tests_unit_test_http_LDADD = $(UNIT_LIBS) $(CURL_LIBS) -lpthread
endif
