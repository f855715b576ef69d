# src/rpc-gateway: everything but main.c in an archive of its own, for the unit tests
noinst_LIBRARIES += libgateway.a
libgateway_a_SOURCES = \
	src/rpc-gateway/manager.c src/rpc-gateway/manager.h \
	src/rpc-gateway/methods.c src/rpc-gateway/methods.h

pkglibexec_PROGRAMS += rpc-gateway
rpc_gateway_SOURCES = src/rpc-gateway/main.c
rpc_gateway_LDADD = libgateway.a $(BASE_LIBS)
