# src/lib/grpc: gRPC on nghttp2 and the event loop (a program that uses it links with $(GRPC_LIBS))
libhostlet_a_SOURCES += \
	src/lib/grpc/frames.c src/lib/grpc/frames.h \
	src/lib/grpc/message.c src/lib/grpc/message.h \
	src/lib/grpc/wire.c src/lib/grpc/wire.h

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_grpc_message
TESTS += tests/unit/test_grpc_message
tests_unit_test_grpc_message_SOURCES = tests/unit/test_grpc_message.c
tests_unit_test_grpc_message_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/src/lib
tests_unit_test_grpc_message_LDADD = $(UNIT_LIBS) $(GRPC_LIBS)
endif
