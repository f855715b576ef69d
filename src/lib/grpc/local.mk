# src/lib/grpc: gRPC on nghttp2 and the event loop (a program that uses it links with $(GRPC_LIBS))
libhostlet_a_SOURCES += \
	src/lib/grpc/account.c src/lib/grpc/account.h \
	src/lib/grpc/call.c src/lib/grpc/call.h \
	src/lib/grpc/call_answer.c src/lib/grpc/call_answer.h \
	src/lib/grpc/call_message.c src/lib/grpc/call_message.h \
	src/lib/grpc/client.c src/lib/grpc/client.h src/lib/grpc/client-types.h \
	src/lib/grpc/connection.c src/lib/grpc/connection.h \
	src/lib/grpc/frames.c src/lib/grpc/frames.h \
	src/lib/grpc/health.c src/lib/grpc/health.h \
	src/lib/grpc/message.c src/lib/grpc/message.h \
	src/lib/grpc/output.c src/lib/grpc/output.h \
	src/lib/grpc/reflection.c src/lib/grpc/reflection.h \
	src/lib/grpc/request.c src/lib/grpc/request.h \
	src/lib/grpc/resolve.c src/lib/grpc/resolve.h \
	src/lib/grpc/server.c src/lib/grpc/server.h src/lib/grpc/server-types.h \
	src/lib/grpc/session.c src/lib/grpc/session.h \
	src/lib/grpc/tally.c src/lib/grpc/tally.h \
	src/lib/grpc/tls.c src/lib/grpc/tls.h \
	src/lib/grpc/wire.c src/lib/grpc/wire.h

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_grpc_bounds tests/unit/test_grpc_message
TESTS += tests/unit/test_grpc_bounds tests/unit/test_grpc_message
tests_unit_test_grpc_bounds_SOURCES = tests/unit/test_grpc_bounds.c
tests_unit_test_grpc_bounds_LDADD = $(UNIT_LIBS) $(GRPC_LIBS)
tests_unit_test_grpc_message_SOURCES = tests/unit/test_grpc_message.c
tests_unit_test_grpc_message_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/src/lib
tests_unit_test_grpc_message_LDADD = $(UNIT_LIBS) $(GRPC_LIBS)
endif
