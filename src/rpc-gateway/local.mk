# src/rpc-gateway: everything but main.c in an archive of its own, for the unit tests
noinst_LIBRARIES += libgateway.a
libgateway_a_SOURCES = \
	src/rpc-gateway/host_address.c src/rpc-gateway/host_address.h src/rpc-gateway/host_address_watch.c \
	src/rpc-gateway/host_parse.c src/rpc-gateway/host_parse.h \
	src/rpc-gateway/host_status.c src/rpc-gateway/host_status.h \
	src/rpc-gateway/host_window.c src/rpc-gateway/host_window.h \
	src/rpc-gateway/manager.c src/rpc-gateway/manager.h \
	src/rpc-gateway/methods.c src/rpc-gateway/methods.h

pkglibexec_PROGRAMS += rpc-gateway
rpc_gateway_SOURCES = src/rpc-gateway/main.c
rpc_gateway_LDADD = libgateway.a $(BASE_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_gateway_host
TESTS += tests/unit/test_gateway_host
tests_unit_test_gateway_host_SOURCES = tests/unit/test_gateway_host.c
tests_unit_test_gateway_host_LDADD = libgateway.a $(UNIT_LIBS)
endif
