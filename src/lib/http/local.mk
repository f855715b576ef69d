# src/lib/http: sends HTTP requests on the event loop with libcurl (a program that uses it links with $(CURL_LIBS))
libhostlet_a_SOURCES += \
	src/lib/http/client.c src/lib/http/client.h \
	src/lib/http/failure.c src/lib/http/failure.h \
	src/lib/http/place.c src/lib/http/place.h \
	src/lib/http/redirect.c src/lib/http/redirect.h \
	src/lib/http/request.c src/lib/http/request.h \
	src/lib/http/types.h

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_http tests/unit/test_place
TESTS += tests/unit/test_http tests/unit/test_place
tests_unit_test_place_SOURCES = tests/unit/test_place.c
tests_unit_test_place_LDADD = $(UNIT_LIBS) $(CURL_LIBS) -lpthread
tests_unit_test_http_SOURCES = tests/unit/test_http.c
tests_unit_test_http_LDADD = $(UNIT_LIBS) $(CURL_LIBS) -lpthread
endif
